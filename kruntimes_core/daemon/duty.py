"""What the daemon knows of one Run, from both sides, and what is under way for it; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.daemon.decisions import Decision
from kruntimes_core.daemon.instructions import OfRun, Write
from kruntimes_core.daemon.server import ServerRun
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.run import Run


@dataclass(slots=True, eq=False)
class Try:
    """One attempt that the API gave to this member."""

    key: RunKey
    # A daemon before this one may have started it.
    inherited: bool
    # It is only started once the API has acknowledged that it is still this member's.
    claim: bool = False
    # Monotonic time from which the scheduler may be sending it elsewhere: it is claimed then, too.
    late_at: float = float("inf")
    claimed: bool = False
    # Only instructions with a higher number claim: the lease was over before.
    claim_from: int = 0
    filled: bool = False
    # Instances of the server that took it, and that may have.
    accepted: str = ""
    unknown: str = ""
    refusals: int = 0
    settling: bool = False
    stop_older: bool = False
    look: bool = False
    collected: bool = False
    # All its output has reached the log, or never will.
    followed: bool = False
    # Monotonic time at which user code was first seen running.
    running_since: float | None = None
    decision: Decision | None = None

    def needs_claim(self, now: float) -> bool:
        """Return whether the API has to say first that this attempt is still this member's."""
        return not self.claimed and not self.accepted and (self.claim or now >= self.late_at)


@dataclass(slots=True)
class Lane:
    """One thing at a time, with a pause after what did not work."""

    busy: OfRun | None = None
    after: float = float("-inf")
    repeats: int = 0

    def again(self, now: float, first: float, longest: float) -> None:
        """Repeat after a pause that doubles."""
        self.after = now + min(first * 2.0 ** min(self.repeats, 20), longest)
        self.repeats += 1

    def worked(self) -> None:
        """Go on without a pause."""
        self.after = float("-inf")
        self.repeats = 0


@dataclass(slots=True, eq=False)
class Duty:
    """One Run, by UID: its object if it is this member's, and its attempts in the server."""

    uid: str
    run: Run | None = None
    version: int = -1
    # The API said of this version that the Run is no longer this member's.
    disowned: int = -1
    current: Try | None = None
    server: dict[int, ServerRun] = field(default_factory=dict)
    # Attempts that the last whole list of the server lacked.
    missing: set[int] = field(default_factory=set)
    # Reason of the last CancelRun acknowledged, by attempt.
    cancels: dict[int, str] = field(default_factory=dict)
    # Attempts that are not this member's: when politeness ends.
    stops: dict[int, float] = field(default_factory=dict)
    # Workspaces made and not handed over.
    litter: set[RunKey] = field(default_factory=set)
    grace: float | None = None
    calls: Lane = field(default_factory=Lane)
    writes: Lane = field(default_factory=Lane)
    follows: Lane = field(default_factory=Lane)

    @property
    def is_over(self) -> bool:
        """Return whether nothing of it is left to know or to do."""
        idle = not any(lane.busy for lane in (self.calls, self.writes, self.follows))
        return self.run is None and idle and not self.server and not self.litter

    @property
    def writing(self) -> Write | None:
        """Return the write under way."""
        return self.writes.busy if isinstance(self.writes.busy, Write) else None

    def drop_snapshot(self, attempt: int) -> None:
        """Take note that the server has nothing of this attempt."""
        self.server.pop(attempt, None)
        self.missing.discard(attempt)
        self.cancels.pop(attempt, None)
        self.stops.pop(attempt, None)
