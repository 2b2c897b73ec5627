"""One Runtime's members and waiting Runs: who goes next, and where. It writes and times nothing."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable

from kruntimes_core.model.reasons import Reason
from kruntimes_core.scheduling.accounts import Account, AccountKey
from kruntimes_core.scheduling.filters import FILTERS, stopped_by
from kruntimes_core.scheduling.shapes import Group, Rank, Shape

PoolKey = tuple[str, str]


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
        self._by_freeness: list[tuple[float, AccountKey, Account]] = []
        self._freed: dict[AccountKey, Account] = {}
        self._wake = 0
        self._reopening = 0
        self._serial = 0

    @property
    def has_work(self) -> bool:
        """Return whether `next` or `wake` has something to look at."""
        return bool(self._open) or bool(self.parked and (self._freed or self._reopening))

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
        if first is not None:
            self._serial += 1
            heapq.heappush(self._open, (first[0], self._serial, group))

    def _park(self, group: Group, reason: Reason) -> None:
        group.parked = True
        group.reason = reason
        group.checked = self._wake
        self.parked[group.shape] = group

    # Members.

    def room_changed(self, account: Account) -> None:
        """Take note that a member may have more room than before: parked groups may fit."""
        self.sort(account)
        if account.is_ready and self.parked:
            self._freed[account.key] = account
            self._wake += 1

    def sort(self, account: Account) -> None:
        """Put a member where its freeness belongs."""
        if self.accounts.get(account.key) is account and account.is_ready:
            heapq.heappush(self._by_freeness, (-account.freeness, account.key, account))
            if len(self._by_freeness) > 64 + 8 * len(self.accounts):
                self._by_freeness = [(-a.freeness, a.key, a) for a in self.accounts.values() if a.is_ready]
                heapq.heapify(self._by_freeness)

    def wake(self, batch: int) -> None:
        """Open some parked groups that may fit now; the others keep their turn for the next call."""
        for _ in range(batch):
            group = next(iter(self.parked.values()), None)
            if group is None:
                self._reopening = 0
            elif self._reopening > 0:
                self._reopening -= 1
                self.open(group)
                continue
            if group is None or group.checked == self._wake:
                self._freed.clear()
                return
            group.checked = self._wake
            self.parked.move_to_end(group.shape)
            if _fits_any(group, self._freed.values()):
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
        tried: dict[AccountKey, tuple[float, AccountKey, Account]] = {}
        furthest, best = 0, None
        while self._by_freeness:
            entry = heapq.heappop(self._by_freeness)
            account = entry[2]
            if (
                self.accounts.get(entry[1]) is not account
                or -entry[0] != account.freeness
                or not account.is_ready
                or entry[1] in tried
            ):
                continue  # an entry from before; a newer one was pushed when it changed
            tried[entry[1]] = entry
            row = stopped_by(group, account)
            if row == len(FILTERS):
                best = account
                break
            furthest = max(furthest, row)
        for entry in tried.values():
            heapq.heappush(self._by_freeness, entry)
        return best, FILTERS[furthest][1]


def _fits_any(group: Group, accounts: Iterable[Account]) -> bool:
    return any(stopped_by(group, account) == len(FILTERS) for account in accounts)
