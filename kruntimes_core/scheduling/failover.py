"""What becomes of a Run whose member is lost, or lives and never touches it; it finds neither out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Failed, Requeued
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.scheduling.actions import End, Requeue
from kruntimes_core.scheduling.settings import Settings


def after_loss(run: Run, now: Instant, settings: Settings) -> Requeue | End:
    """Return what follows when the member of a Run is lost."""
    pod = run.assignment.pod if run.assignment else "none"
    message = f"Member {pod} was lost: its lease was not renewed in time"
    return _next_attempt(run, _Cause(Reason.MEMBER_LOST, message), now, settings)


def after_start_deadline(run: Run, now: Instant, settings: Settings) -> Requeue | End:
    """Return what follows when a living member did not take its Run in time: it goes elsewhere."""
    pod = run.assignment.pod if run.assignment else "none"
    message = f"Member {pod} did not take this Run within {settings.start_deadline:g} s, though it is alive"
    return _next_attempt(run, _Cause(Reason.START_DEADLINE, message, excluded=(pod,)), now, settings)


@dataclass(frozen=True, slots=True)
class _Cause:
    reason: Reason
    message: str
    excluded: tuple[str, ...] = ()


def _next_attempt(run: Run, cause: _Cause, now: Instant, settings: Settings) -> Requeue | End:
    if run.is_unwanted:
        return End(run, Cancelled(Ending(Reason.CANCELLED, f"Cancelled. {cause.message}", ended=now.wall)))
    losses = run.losses + 1
    if losses > settings.max_losses:
        message = f"{cause.message}; this was loss {losses}, and {settings.max_losses} are made good"
        return End(run, Failed(Ending(cause.reason, message, started=run.started, ended=now.wall)))
    delay = settings.loss_delays[min(losses, len(settings.loss_delays)) - 1]
    event = Requeued(
        attempt=run.attempt + 1,
        losses=losses,
        reason=cause.reason,
        message=cause.message,
        at=now.wall,
        not_before=now.wall + timedelta(seconds=delay) if delay else None,
        excluded=cause.excluded,
    )
    return Requeue(run, event)
