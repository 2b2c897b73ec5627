"""The daemon's machine: takes what it sees, answers with instructions. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.daemon.instructions import Instruction, OfRun, Outcome
from kruntimes_core.daemon.server import ServerRun, ServerStatus
from kruntimes_core.daemon.settings import DEFAULTS, Settings
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState


@dataclass(frozen=True, slots=True)
class Seat:
    """The member this daemon serves."""

    namespace: str
    pod: str
    pod_uid: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the member's lease says in its annotation; written when it differs from what was written last."""

    instance: str = ""
    accept_state: AcceptState = AcceptState.NOT_READY
    capacity: Amounts = field(default_factory=dict)


class Daemon:
    """All that one daemon knows of its Runs, and what is to be done.

    The shell, from one thread: hands in what it sees, calls `decide` after it and when `wake_at` is
    reached, carries out the instructions side by side, and hands each outcome to `done`.
    The first `decide` asks for Handshake and Resync.
    """

    def __init__(self, seat: Seat, settings: Settings = DEFAULTS) -> None:
        """Begin knowing nothing, with no lease: nothing is started before one was renewed."""
        raise NotImplementedError

    # What the API shows.

    def run_changed(self, run: Run, now: Instant) -> None:
        """Take a version of a Run assigned to this member."""

    def run_gone(self, uid: str, now: Instant) -> None:
        """Take note that a Run left the selection: deleted, or assigned to this member no more."""

    def runs_synced(self, now: Instant) -> None:
        """Take note that the list asked for by Resync is complete: what it lacked was handed in as gone."""

    def lease_renewed(self, sent_at: float, now: Instant) -> None:
        """The API acknowledged a renewal of the lease; `sent_at` is the monotonic time before it was sent."""

    # What the server shows.

    def handshaken(self, status: ServerStatus, now: Instant) -> None:
        """The server answered Handshake; another instance than before means that its Runs are gone."""

    def server_lost(self, now: Instant) -> None:
        """Handshake failed, Watch broke, or a call found nobody: another Handshake will be asked for."""

    def server_status(self, status: ServerStatus, now: Instant) -> None:
        """Take a status from Watch."""

    def server_run(self, snapshot: ServerRun, now: Instant) -> None:
        """Take a snapshot of a Run from Watch, or from a list."""

    def server_forgot(self, key: RunKey, now: Instant) -> None:
        """The server holds nothing of that key any more."""

    def server_synced(self, now: Instant) -> None:
        """Watch's first part, or a whole list, is complete: Runs that it lacked are not there."""

    # Work.

    def decide(self, now: Instant) -> list[Instruction]:
        """Return what is to be done now."""
        raise NotImplementedError

    def done(self, instruction: OfRun, outcome: Outcome, now: Instant) -> None:
        """Take the outcome of an instruction for one Run."""

    def wake_at(self) -> float | None:
        """Return the monotonic time at which `decide` has work though nothing happened, if there is one."""
        raise NotImplementedError

    @property
    def announcement(self) -> Announcement:
        """Return what the lease's annotation should say now."""
        raise NotImplementedError

    @property
    def fenced(self) -> bool:
        """Return whether the lease is over or was never held, as of the last `decide`."""
        raise NotImplementedError

    @property
    def active(self) -> int:
        """Return how many Runs this daemon answers for; a drain waits until there are none."""
        raise NotImplementedError
