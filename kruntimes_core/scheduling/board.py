"""The scheduler's machine: takes what its watches saw, answers with actions. Pure: time is an argument."""

from __future__ import annotations

from enum import StrEnum

from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member, Runtime
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.cycle import Cycle
from kruntimes_core.scheduling.items import Item
from kruntimes_core.scheduling.ledger import Ledger
from kruntimes_core.scheduling.roster import Roster
from kruntimes_core.scheduling.settings import DEFAULTS, Settings


class Watched(StrEnum):
    """The three kinds of objects a scheduler watches."""

    RUNS = "runs"
    MEMBERS = "members"
    RUNTIMES = "runtimes"


class Board:
    """All Runs, members and Runtimes in memory, and the work that is due.

    The shell does five things, from one thread:
    1. hands in every change its watches deliver (an older version of an object is ignored);
    2. says when a watch broke, and when it is whole again (listed, differences handed in as changes);
    3. calls `decide` after changes and when `wake_at` is reached, and writes the actions, each on
       condition that the Run still has `action.run.version`;
    4. answers each action exactly once: `written`, `refused` or `failed`;
    5. calls `api_answered` whenever a request of its own was answered, and makes one at least every
       three seconds: a stopped API server leaves watches open and silent, and must lose nobody.
    Nothing is decided before all three kinds have been synced once.
    """

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        """Begin with an empty board."""
        self.settings = settings
        self._roster = Roster(settings)
        self._ledger = Ledger(settings, self._roster)
        self._cycle = Cycle(settings, self._roster, self._ledger)
        self._unsynced = set(Watched)

    # What the watches show.

    def run_changed(self, run: Run, now: Instant) -> None:
        """Take a version of a Run, new or changed."""
        self._ledger.run_changed(run, now)

    def run_gone(self, uid: str, now: Instant) -> None:
        """Take note that a Run was deleted."""
        self._ledger.run_gone(uid)

    def member_changed(self, member: Member, now: Instant) -> None:
        """Take a version of a member's lease. A mere renewal wakes nobody."""
        self._roster.member_changed(member, now)

    def member_gone(self, namespace: str, name: str, now: Instant) -> None:
        """Take note that a lease was deleted; the member's Runs are lost when it would have run out."""
        self._roster.member_gone(namespace, name)

    def runtime_changed(self, runtime: Runtime, now: Instant) -> None:
        """Take a version of a Runtime."""
        self._roster.runtime_changed(runtime)

    def runtime_gone(self, namespace: str, name: str, now: Instant) -> None:
        """Take note that a Runtime was deleted."""
        self._roster.runtime_gone((namespace, name))

    def watch_broken(self, watched: Watched, now: Instant) -> None:
        """Stop judging by what is missing: until `watch_synced` no lease grows old and nothing is decided."""
        self._unsynced.add(watched)

    def watch_synced(self, watched: Watched, now: Instant) -> None:
        """Go on: the list is complete. If it is of leases, every one of them counts as renewed now."""
        self._unsynced.discard(watched)
        if watched is Watched.MEMBERS:
            self._roster.clock.restart(now.monotonic)
        if watched is Watched.RUNS:
            self._ledger.synced_at = now.monotonic

    def api_answered(self, now: Instant) -> None:
        """Take note that the API is there. After a silence of seconds every lease counts as renewed now.

        Without a single call of it, leases are judged by the watches alone.
        """
        self._roster.clock.heard(now.monotonic)

    # Work.

    def decide(self, now: Instant) -> list[Action]:
        """Return the actions due; their effect is assumed until they are answered."""
        return [] if self._unsynced else self._cycle.run(now)

    def wake_at(self) -> float | None:
        """Return the monotonic time at which `decide` has work though nothing changed, if there is one.

        A time in the past means: now.
        """
        return None if self._unsynced else self._cycle.wake_at()

    def written(self, action: Action, version: str, now: Instant) -> None:
        """The write succeeded and gave this version; nothing more is decided on the Run until it is seen."""
        self._ledger.written(action, version, now)

    def refused(self, action: Action, now: Instant) -> None:
        """The Run has changed or is gone (409, 404): wait for the newer object before deciding again."""
        self._ledger.refused(action, now)

    def failed(self, action: Action, now: Instant) -> None:
        """Nobody knows whether it was written (time out, 5xx, 429): the same action comes again, later.

        Until it is answered the assumption stays, or the room it may hold would be given twice.
        """
        self._ledger.failed(action, now)

    # For people and checks.

    @property
    def waiting(self) -> int:
        """Return how many Runs wait for room."""
        return sum(len(group) for pool in self._roster.pools.values() for group in pool.groups.values())

    @property
    def in_flight(self) -> int:
        """Return how many actions are not answered yet."""
        return len(self._ledger.flying)

    def recount(self) -> int:
        """Count what is taken anew from the Runs; return how many members were counted wrong before."""
        return len(self._roster.recount())

    def known_version(self, uid: str) -> int | None:
        """Return the version of a Run that decisions rest on."""
        item = self._ledger.items.get(uid)
        return item.version if item else None

    def stranded(self) -> list[str]:
        """Return the Runs that nothing would ever wake; there are none, or a rule is broken."""
        return [uid for uid, item in self._ledger.items.items() if not self._is_minded(uid, item)]

    def _is_minded(self, uid: str, item: Item) -> bool:
        """Return whether a Run is done, about to be looked at, or has a timer."""
        ledger = self._ledger
        if item.run is None or uid in ledger.urgent or id(item.pending) in ledger.flying:
            return True
        if any((word, uid) in ledger.timers for word in item.timers):
            return True
        # An assigned Run rests on its member's lease.
        account = item.account
        return account is not None and (account.key in self._roster.lease_timers or account.lost)
