"""What the daemon's shell is told to do, and what it may answer; nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.daemon.server import Code, ServerRun
from kruntimes_core.model.events import Delivered, Ended, HandedBack, Requeued, Started
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run

# What a daemon may write.
Writable = Delivered | Started | HandedBack | Requeued | Ended

# --- Instructions for the whole member; they are answered by the machine's own inputs. ---


@dataclass(frozen=True, slots=True)
class Handshake:
    """Shake hands, then open Watch: answered by `handshaken`, or by `server_lost` when it failed."""


@dataclass(frozen=True, slots=True)
class Resync:
    """List this member's Runs anew, hand in what differs, then call `runs_synced`; repeat until it works."""


# --- Instructions for one Run. `number` is unique: `done` is called once for each of them. ---
# Several Runs are served at once; a Run has at most one call to its server, one write and one Follow under
# way, and nothing that is slow for one Run may hold up another.


@dataclass(frozen=True, slots=True)
class Fill:
    """Check the parameters, make the workspace, write source and files.

    Answered Done, Unfillable (the Run's own fault) or Broken (the member's fault).
    """

    number: int
    key: RunKey
    run: Run


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove a workspace that was never handed over to the server, half filled or whole. Answered Done."""

    number: int
    key: RunKey


@dataclass(frozen=True, slots=True)
class Start:
    """Call StartRun, but never after `not_after` on the monotonic clock: then answer TooLate.

    `instance` goes into expected_instance_id. Answered Answered, Refused or TooLate.
    """

    number: int
    key: RunKey
    run: Run
    instance: str
    not_after: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Call CancelRun; no grace means the spec's. Answered Answered or Refused."""

    number: int
    key: RunKey
    grace: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Call ForgetRun, with mode STOP if `stop`. Answered Done or Refused."""

    number: int
    key: RunKey
    stop: bool


@dataclass(frozen=True, slots=True)
class Look:
    """Call GetRun. Answered Answered or Refused."""

    number: int
    key: RunKey


@dataclass(frozen=True, slots=True)
class Follow:
    """Call ReadOutput and bring to the container's log what comes, until both channels have ended.

    It lasts as long as the Run does, beside whatever else is called for it. Answered Done or Refused.
    """

    number: int
    key: RunKey


@dataclass(frozen=True, slots=True)
class Collect:
    """See that all output has reached the container's log, within a bound. Answered Done or Refused.

    Whatever the answer, the result is written next. Output that the tails in `snapshot` hold whole needs
    no log, unless `to_log` says that they will not be written either.
    """

    number: int
    key: RunKey
    snapshot: ServerRun
    to_log: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Write the event into the Run's status, if attempt, Pod UID and phase still allow it.

    On a conflict read the object again and, if the fence still holds, write again.
    Answered Written, Superseded, Unwritten or Rejected.
    """

    number: int
    key: RunKey
    run: Run
    event: Writable


OfRun = Fill | Clear | Start | Cancel | Forget | Look | Follow | Collect | Write
Instruction = Handshake | Resync | OfRun

# --- Outcomes. ---


@dataclass(frozen=True, slots=True)
class Done:
    """It worked."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered with a snapshot."""

    snapshot: ServerRun


@dataclass(frozen=True, slots=True)
class Refused:
    """The server, or the way to it, answered with a status code; `reason` is empty without ErrorInfo."""

    code: Code
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class TooLate:
    """The call was not made: its time had passed."""


@dataclass(frozen=True, slots=True)
class Unfillable:
    """The Run cannot be made ready anywhere: its own source, files or parameters are wrong."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """This member could not do it, for example because its disk is full."""

    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """The API acknowledged the write, and gave the object this version."""

    version: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The Run is gone, terminal, in another attempt, or no longer this member's."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The API could not be reached or was not able to (time out, 5xx, 429): to be repeated."""

    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The API will never take this content (400, 413, 422)."""

    message: str


Outcome = (
    Done | Answered | Refused | TooLate | Unfillable | Broken | Written | Superseded | Unwritten | Rejected
)
