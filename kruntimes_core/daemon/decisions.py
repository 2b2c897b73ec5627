"""What the daemon has decided on a Run by itself, before it becomes an event; it writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kruntimes_core.daemon.endings import conclude
from kruntimes_core.daemon.server import ServerRun
from kruntimes_core.model.attempts import Allowance, Cause, after_loss
from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Ended, Failed, HandedBack, Requeued
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run


@dataclass(frozen=True, slots=True)
class Conclude:
    """The server said how it ended."""

    ended: ServerRun


@dataclass(frozen=True, slots=True)
class Lose:
    """Nobody will know how this attempt ended."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class GiveBack:
    """It was not started here, and goes back as it came."""

    reason: Reason
    message: str
    delay: float = 0.0
    excluding: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """It can be started nowhere."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class CallOff:
    """It was cancelled before it was started."""


Decision = Conclude | Lose | GiveBack | Fail | CallOff


def event_of(
    decision: Decision, run: Run, now: Instant, allowance: Allowance
) -> Ended | Requeued | HandedBack:
    """Return the event that carries out a decision on the Run as it is now."""
    match decision:
        case Conclude(ended):
            return conclude(ended, run, now, allowance)
        case Lose(cause):
            return after_loss(run, cause, now, allowance)
        case Fail(reason, message):
            return Failed(Ending(reason, message, ended=now.wall))
        case GiveBack() if not run.is_unwanted:
            return _handed_back(decision, run, now)
        case _:
            return Cancelled(Ending(Reason.CANCELLED, "Cancelled before it was started", ended=now.wall))


def _handed_back(decision: GiveBack, run: Run, now: Instant) -> HandedBack:
    pod = run.assignment.pod if run.assignment else ""
    excluded = dict.fromkeys((*run.excluded, pod)) if decision.excluding else dict.fromkeys(run.excluded)
    return HandedBack(
        reason=decision.reason,
        message=decision.message,
        at=now.wall,
        not_before=now.wall + timedelta(seconds=decision.delay) if decision.delay else None,
        excluded=tuple(excluded)[-64:],
    )
