"""One Runtime's members and waiting Runs: who goes next, and where. It writes and times nothing."""

from __future__ import annotations

import heapq
from collections import OrderedDict

from kruntimes_core.model.reasons import Reason
from kruntimes_core.scheduling.accounts import Account, AccountKey
from kruntimes_core.scheduling.filters import FILTERS, may_take, stopped_by
from kruntimes_core.scheduling.shapes import Group, Rank, Shape

PoolKey = tuple[str, str]
# Most free first; the serial keeps two accounts of one member, one of them gone, from being compared.
_Sorted = tuple[float, AccountKey, int, Account]


class Pool:
    """Groups are open, and then looked at in order, or parked until room for them may have come."""

    def __init__(self, key: PoolKey) -> None:
        """Begin empty, with a Runtime nobody has seen."""
        self.key = key
        self.known = False
        self.accounts: dict[AccountKey, Account] = {}
        self.groups: dict[Shape, Group] = {}
        self.parked: OrderedDict[Shape, Group] = OrderedDict()
        self._open: list[tuple[Rank, int, Group]] = []
        self._by_freeness: list[_Sorted] = []
        # Members in the order in which they last got room, and how often any did.
        self._recent: OrderedDict[AccountKey, Account] = OrderedDict()
        self._wake = 0
        self._reopening = 0
        self._serial = 0

    @property
    def has_work(self) -> bool:
        """Return whether `next` or `wake` has something to look at."""
        return bool(self._open or self._reopening) or self._next_parked() is not None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing would be forgotten with this pool."""
        return not (self.known or self.accounts or self.groups)

    # Waiting Runs.

    def wait(self, uid: str, shape: Shape, rank: Rank) -> Group:
        """Let a Run wait; return its group."""
        group = self.groups.get(shape)
        if group is None:
            group = self.groups[shape] = Group(shape, dict(shape.requests))
        group.add(uid, rank)
        if not group.parked:
            self.offer(group)
        return group

    def leave(self, uid: str, group: Group) -> None:
        """Let a Run no longer wait."""
        group.discard(uid)
        if not group:
            self.groups.pop(group.shape, None)
            self.parked.pop(group.shape, None)

    def next(self) -> tuple[str, Group, Account] | Group | None:
        """Return the Run that goes next and its member; or the group just parked; or None: nobody goes."""
        while self._open:
            rank, _, group = heapq.heappop(self._open)
            if group.offered != rank:
                continue  # it was offered anew since
            group.offered = None
            first = group.first()
            if first is None or group.parked or self.groups.get(group.shape) is not group:
                continue
            if first[0] != rank:
                self.offer(group)
                continue
            account, reason = self._best(group)
            if account is None:
                self._park(group, reason)
                return group
            return first[1], group, account
        return None

    def offer(self, group: Group) -> None:
        """Put an open group where its first Run belongs in the order."""
        first = group.first()
        if first is not None and group.offered != first[0]:
            group.offered = first[0]
            self._serial += 1
            heapq.heappush(self._open, (first[0], self._serial, group))

    def _park(self, group: Group, reason: Reason) -> None:
        group.parked = True
        group.reason = reason
        group.blocked = self._wake
        self.parked[group.shape] = group

    def _next_parked(self) -> Group | None:
        """Return the group parked longest, if any member got room since."""
        group = next(iter(self.parked.values()), None)
        return group if group is not None and group.blocked < self._wake else None

    # Members.

    def room_changed(self, account: Account) -> None:
        """Take note that a member may have more room than before: parked groups may fit."""
        self.sort(account)
        if account.is_ready:
            self._wake += 1
            account.freed = self._wake
            self._recent[account.key] = account
            self._recent.move_to_end(account.key)

    def drop(self, account: Account) -> None:
        """Take note that a member left the pool."""
        self.accounts.pop(account.key, None)
        self._recent.pop(account.key, None)

    def sort(self, account: Account) -> None:
        """Put a member where its freeness belongs."""
        if self.accounts.get(account.key) is account and account.is_ready:
            heapq.heappush(self._by_freeness, self._sorted(account))
            if len(self._by_freeness) > 64 + 8 * len(self.accounts):
                self._by_freeness = [self._sorted(each) for each in self.accounts.values() if each.is_ready]
                heapq.heapify(self._by_freeness)

    def _sorted(self, account: Account) -> _Sorted:
        self._serial += 1
        return (-account.freeness, account.key, self._serial, account)

    def wake(self, batch: int) -> None:
        """Open some parked groups that may fit now; the others keep their turn for the next call."""
        for _ in range(batch):
            group = next(iter(self.parked.values()), None) if self._reopening else self._next_parked()
            if group is None:
                self._reopening = 0
                return
            if self._reopening:
                self._reopening -= 1
                group.blocked = -1
            self.open(group)

    def reopen(self) -> None:
        """Let `wake` look at every group parked now, whoever has room: the reason may have changed."""
        self._reopening = len(self.parked)

    def open(self, group: Group) -> None:
        """Look at a parked group again."""
        group.parked = False
        self.parked.pop(group.shape, None)
        self.offer(group)

    def _best(self, group: Group) -> tuple[Account | None, Reason]:
        """Return the freest member that passes every filter; or the furthest reason why none does."""
        if not self.known:
            return None, Reason.NO_SUCH_RUNTIME
        if group.blocked < 0:
            return self._best_of_all(group)
        # It fitted nobody then, so only those who got room since can take it.
        best: Account | None = None
        for account in reversed(self._recent.values()):
            if account.freed <= group.blocked:
                break
            better = best is None or (-account.freeness, account.key) < (-best.freeness, best.key)
            if better and may_take(group, account):
                best = account
        return best, group.reason

    def _best_of_all(self, group: Group) -> tuple[Account | None, Reason]:
        tried: dict[AccountKey, _Sorted] = {}
        furthest, best = 0, None
        while self._by_freeness:
            entry = heapq.heappop(self._by_freeness)
            freeness, key, _, account = entry
            stale = self.accounts.get(key) is not account or -freeness != account.freeness
            if stale or not account.is_ready or key in tried:
                continue  # a newer entry was pushed when it changed
            tried[key] = entry
            row = stopped_by(group, account)
            if row == len(FILTERS):
                best = account
                break
            furthest = max(furthest, row)
        for entry in tried.values():
            heapq.heappush(self._by_freeness, entry)
        return best, FILTERS[furthest][1]
