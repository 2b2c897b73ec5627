"""Which changes of a Run are worth an Event for people, and what it says; it writes none. Pure.

Nothing on the ordinary way of a Run is: one that waits for room, however long the queue, and whose program
ends, well or badly, leaves no Event.
"""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.attempts import ALLOWANCE
from kruntimes_core.model.events import Event, Failed, HandedBack, Held, Requeued, TimedOut
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that an Event is about."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing worth knowing. The same reason for the same object is the same thing, told again."""

    about: Subject
    action: str
    reason: str
    message: str
    warning: bool = False


LOSSES_USED_UP = "LossesUsedUp"
# A Run that waits for one of these waits for a person.
_FOR_A_PERSON = frozenset({Reason.NO_SUCH_RUNTIME, Reason.NEVER_FITS})
# An end for which the Run's program and its author are not to blame.
_NOT_THE_PROGRAM = frozenset(
    {
        Reason.DAEMON_LOST,
        Reason.DISK_FULL,
        Reason.DRAINED,
        Reason.ISOLATION_UNAVAILABLE,
        Reason.MEMBER_LOST,
        Reason.OUTCOME_UNKNOWN,
        Reason.SERVER_ERROR,
        Reason.SERVER_LOST,
        Reason.SPEC_MISMATCH,
        Reason.START_DEADLINE,
        Reason.WORKSPACE_FAILED,
    }
)


def notice_of(run: Run, event: Event) -> Notice | None:
    """Return what is to be told once the event is written into the Run's status, if anything."""
    about = Subject("Run", run.namespace, run.name, run.uid)
    match event:
        case Held(reason, message) if reason != Reason.NO_ROOM:
            return Notice(about, "Hold", reason, message, reason in _FOR_A_PERSON)
        case HandedBack(reason, message):
            return Notice(about, "HandBack", reason, message)
        case Requeued():
            return Notice(about, "Requeue", event.reason, event.message, warning=True)
        case Failed(ending) if ending.reason in _NOT_THE_PROGRAM:
            spent = run.losses >= ALLOWANCE.losses
            reason = LOSSES_USED_UP if spent else ending.reason
            return Notice(about, "End", reason, ending.message, warning=True)
        case TimedOut(ending) if ending.reason == Reason.QUEUE_TIME_LIMIT:
            return Notice(about, "End", ending.reason, ending.message, warning=True)
    return None
