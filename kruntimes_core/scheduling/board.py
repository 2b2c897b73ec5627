"""The scheduler's machine: takes what its watches saw, answers with actions. Pure: time is an argument."""

from __future__ import annotations

from enum import StrEnum

from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member, Runtime
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.settings import Settings


class Watched(StrEnum):
    """The three kinds of objects a scheduler watches."""

    RUNS = "runs"
    MEMBERS = "members"
    RUNTIMES = "runtimes"


class Board:
    """All Runs, members and Runtimes in memory, and the work that is due.

    The shell does four things, from one thread:
    1. hands in every change its watches deliver (an older version of an object is ignored);
    2. says when a watch broke, and when it is whole again (listed, differences handed in as changes);
    3. calls `decide` after changes and when `wake_at` is reached, and writes the actions, each on
       condition that the Run still has `action.run.version`;
    4. answers each action exactly once: `written`, `refused` or `failed`.
    Nothing is decided before all three kinds have been synced once.
    """

    def __init__(self, settings: Settings = Settings()) -> None:
        """Begin with an empty board."""
        raise NotImplementedError

    def run_changed(self, run: Run, now: Instant) -> None:
        """Take a version of a Run, new or changed."""

    def run_gone(self, uid: str, now: Instant) -> None:
        """Take note that a Run was deleted."""

    def member_changed(self, member: Member, now: Instant) -> None:
        """Take a version of a member's lease. A mere renewal wakes nobody."""

    def member_gone(self, namespace: str, name: str, now: Instant) -> None:
        """Take note that a member's lease was deleted; its Runs are lost when the lease would have run out."""

    def runtime_changed(self, runtime: Runtime, now: Instant) -> None:
        """Take a version of a Runtime."""

    def runtime_gone(self, namespace: str, name: str, now: Instant) -> None:
        """Take note that a Runtime was deleted."""

    def watch_broken(self, watched: Watched, now: Instant) -> None:
        """Stop judging by what is missing: until `watch_synced` no lease grows old and nothing is decided."""

    def watch_synced(self, watched: Watched, now: Instant) -> None:
        """Go on: the list is complete. Every lease counts as renewed now, if leases are what was missed."""

    def decide(self, now: Instant) -> list[Action]:
        """Return the actions due; their effect is assumed until they are answered."""
        raise NotImplementedError

    def wake_at(self) -> float | None:
        """Return the monotonic time at which `decide` has work though nothing changed, if there is one.

        A time in the past means: now.
        """
        raise NotImplementedError

    def written(self, action: Action, version: str, now: Instant) -> None:
        """The write succeeded and gave this version; nothing more is decided on the Run until it is seen."""

    def refused(self, action: Action, now: Instant) -> None:
        """The Run has changed or is gone (409, 404): wait for the newer object before deciding again."""

    def failed(self, action: Action, now: Instant) -> None:
        """Nobody knows whether it was written (time out, 5xx, 429): the same action comes again, later.

        Until it is answered the assumption stays, or the room it may hold would be given twice.
        """
