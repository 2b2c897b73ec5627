"""One pass over what is due: which actions, in which order, and how many; it remembers nothing itself."""

from __future__ import annotations

from collections import deque

from kruntimes_core.model.events import Assigned
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.scheduling import failover, waiting
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.actions import Action, Assign
from kruntimes_core.scheduling.items import Item
from kruntimes_core.scheduling.ledger import Ledger
from kruntimes_core.scheduling.pool import Pool, PoolKey
from kruntimes_core.scheduling.roster import Roster
from kruntimes_core.scheduling.settings import Settings
from kruntimes_core.scheduling.shapes import Group

# A waiting Run's reason is compared with its group's this often, so that it stays true.
_HOLD_AGAIN = 10.0
# Runs of a group whose reason changes that are told at once; the others are told by their timers.
_TOLD_AT_ONCE = 64
# Groups parked in one turn of one pool.
_PARKED_IN_TURN = 128


class Cycle:
    """Lost members and wishes to cancel come first, then assignments, then reasons to wait."""

    def __init__(self, settings: Settings, roster: Roster, ledger: Ledger) -> None:
        """Work on this roster and this ledger."""
        self.settings = settings
        self.roster = roster
        self.ledger = ledger
        self._holds: deque[str] = deque()
        self._next_hold = float("-inf")
        self._again: deque[str] = deque()

    def run(self, now: Instant) -> list[Action]:
        """Return the actions due now, no more than may be under way."""
        self._ring(now)
        actions: list[Action] = []
        self._repeat(actions)
        self._urgent(actions, now)
        self._assign(actions, now)
        self._hold(actions, now)
        return actions

    def wake_at(self) -> float | None:
        """Return when there is something to do."""
        timers = (self.ledger.timers, self.roster.lease_timers, self.roster.pool_timers)
        times = [timer.next() for timer in timers]
        if self._budget() > 0:
            if self.ledger.urgent or self.roster.active or self._again:
                return float("-inf")
            if self._holds:
                times.append(self._next_hold)
        return min((time for time in times if time is not None), default=None)

    def _budget(self) -> int:
        return self.settings.in_flight - len(self.ledger.flying)

    # Timers.

    def _ring(self, now: Instant) -> None:
        """Do what timers were set for; most only put a Run where a stage will look."""
        for account_key, due in list(self.roster.lease_timers.pop_due(now.monotonic)):
            account = self.roster.judge(account_key, due, now)
            for uid in account.charges if account else ():
                self.ledger.hurry(uid)
        for pool_key, _ in list(self.roster.pool_timers.pop_due(now.monotonic)):
            self._look_again(pool_key, now)
        for (word, uid), _ in list(self.ledger.timers.pop_due(now.monotonic)):
            item = self.ledger.items[uid]
            item.timers.discard(word)
            self._ring_for(word, uid, item, now)

    def _ring_for(self, word: str, uid: str, item: Item, now: Instant) -> None:
        if word == "hold":
            self._hold_due(item, uid, now)
        elif word == "again":
            self._again.append(uid)
        elif word in ("ready", "lapse") and item.run is not None:
            self.ledger.settle(item, item.run, now)
        else:
            self.ledger.hurry(uid)

    def _look_again(self, key: PoolKey, now: Instant) -> None:
        """Reopen parked groups without a cause: the safety net under every wake that was missed."""
        pool = self.roster.pools.get(key)
        if pool is not None and pool.parked:
            pool.reopen()
            self.roster.activate(pool)
            self.roster.pool_timers.set(key, now.monotonic + self.settings.safety_interval)

    # Stages.

    def _emit(
        self, actions: list[Action], item: Item, action: Action, account: Account | None = None
    ) -> None:
        self.ledger.decided(item, action, account)
        actions.append(action)

    def _repeat(self, actions: list[Action]) -> None:
        """Give out again what nobody knows the outcome of."""
        while self._again and self._budget() > 0:
            item = self.ledger.items.get(self._again.popleft())
            if item is not None and item.pending is not None and id(item.pending) not in self.ledger.flying:
                self._emit(actions, item, item.pending, item.account)

    def _urgent(self, actions: list[Action], now: Instant) -> None:
        while self.ledger.urgent and self._budget() > 0:
            uid = next(iter(self.ledger.urgent))
            del self.ledger.urgent[uid]
            item = self.ledger.items.get(uid)
            if item is None or item.run is None or item.pending is not None:
                continue
            action = self._judge(item, item.run, now)
            if action is not None:
                self._emit(actions, item, action)

    def _judge(self, item: Item, run: Run, now: Instant) -> Action | None:
        """Return what has to happen to a Run that no member may be answering for, if anything."""
        if run.phase is Phase.PENDING:
            if run.is_unwanted:
                return waiting.cancel(run, now)
            if item.queue_deadline is not None and now.monotonic >= item.queue_deadline:
                return waiting.time_out(run, now)
            return None
        if item.account is None or item.account.lost:
            return failover.when_member_lost(run, now, self.settings)
        if run.phase is Phase.SCHEDULED and run.delivered is None:
            deadline = self.ledger.start_deadline(item)
            if now.monotonic >= deadline:
                return failover.when_left_lying(run, now, self.settings)
            self.ledger.arm(item, run.uid, "start", deadline)
        return None

    def _assign(self, actions: list[Action], now: Instant) -> None:
        """Give every pool with work one turn, in turn."""
        for key in list(self.roster.active):
            budget = self._budget()
            if budget <= 0:
                return
            pool = self.roster.active.pop(key)
            pool.wake(self.settings.wake_batch)
            self._turn(pool, actions, now, max(1, budget // (1 + len(self.roster.active))))
            self.roster.activate(pool)

    def _turn(self, pool: Pool, actions: list[Action], now: Instant, most: int) -> None:
        parked = 0
        while most > 0 and parked < _PARKED_IN_TURN:
            found = pool.next()
            if found is None:
                return
            if isinstance(found, Group):
                parked += 1
                self._parked(pool, found, now)
                continue
            uid, group, account = found
            item = self.ledger.items[uid]
            run, member = item.run, account.member
            if run is None or member is None:
                raise AssertionError(f"{uid} does not wait, or {account.key} is no member")
            assignment = Assignment(member.name, member.pod_uid, member.instance)
            queued = waiting.began(run, now, now.monotonic - item.arrived)
            self._emit(actions, item, Assign(run, Assigned(assignment, now.wall, queued)), account)
            pool.offer(group)
            most -= 1

    def _parked(self, pool: Pool, group: Group, now: Instant) -> None:
        """See that a parked group is looked at again, and that its first Runs are told why they wait."""
        if pool.key not in self.roster.pool_timers:
            self.roster.pool_timers.set(pool.key, now.monotonic + self.settings.safety_interval)
        if group.told != group.reason:
            group.told = group.reason
            for uid, _ in zip(group.ranks, range(_TOLD_AT_ONCE), strict=False):
                item = self.ledger.items[uid]
                if "hold" not in item.timers or item.waiting_since + self.settings.hold_after < now.monotonic:
                    self._hold_due(item, uid, now)

    # Reasons.

    def _hold_due(self, item: Item, uid: str, now: Instant) -> None:
        if item.group is None or item.run is None:
            return
        if item.group.parked and item.group.reason != item.run.reason:
            self._holds.append(uid)
        self.ledger.arm(item, uid, "hold", now.monotonic + _HOLD_AGAIN)

    def _hold(self, actions: list[Action], now: Instant) -> None:
        """Write reasons, a few at a time, with what room the other stages left."""
        while self._holds and self._budget() > 0 and now.monotonic >= self._next_hold:
            uid = self._holds.popleft()
            item = self.ledger.items.get(uid)
            if item is None or item.run is None or item.group is None or not item.group.parked:
                continue
            if item.group.reason == item.run.reason:
                continue
            reason = item.group.reason
            self._next_hold = (
                max(self._next_hold, now.monotonic - self._burst()) + self.settings.hold_interval
            )
            self._emit(actions, item, waiting.hold(item.run, reason))

    def _burst(self) -> float:
        """Return how much unused time may be made up for: eight reasons at once."""
        return 8 * self.settings.hold_interval
