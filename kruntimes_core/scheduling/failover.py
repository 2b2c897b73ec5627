"""What becomes of a Run whose member is lost, or lives and never touches it; it finds neither out."""

from __future__ import annotations

from kruntimes_core.model.attempts import Cause, after_loss
from kruntimes_core.model.events import Requeued
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.scheduling.actions import End, Requeue
from kruntimes_core.scheduling.settings import Settings


def when_member_lost(run: Run, now: Instant, settings: Settings) -> Requeue | End:
    """Return what follows when the member of a Run is lost."""
    message = f"Member {_pod(run)} was lost: its lease was not renewed in time"
    return _action(run, Cause(Reason.MEMBER_LOST, message), now, settings)


def when_left_lying(run: Run, now: Instant, settings: Settings) -> Requeue | End:
    """Return what follows when a living member did not take its Run in time: it goes elsewhere."""
    pod = _pod(run)
    message = f"Member {pod} did not take this Run within {settings.start_deadline:g} s, though it is alive"
    return _action(run, Cause(Reason.START_DEADLINE, message, excluded=(pod,)), now, settings)


def _pod(run: Run) -> str:
    return run.assignment.pod if run.assignment else "none"


def _action(run: Run, cause: Cause, now: Instant, settings: Settings) -> Requeue | End:
    event = after_loss(run, cause, now, settings.allowance)
    return Requeue(run, event) if isinstance(event, Requeued) else End(run, event)
