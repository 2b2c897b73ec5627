"""Whether an attempt is followed by another, and when; it finds out nothing about the attempt itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Failed, Requeued
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run

# Enough for any delay to reach its bound; an attempt number in the thousands must not overflow a float.
MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many losses are made good, and how long the attempt after the n-th of them waits, in seconds."""

    losses: int = 3
    delays: tuple[float, ...] = (0.0, 1.0, 4.0)
    longest_backoff: float = 300.0


ALLOWANCE = Allowance()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an attempt is over though its program is not to blame; excluded members get no next one."""

    reason: Reason
    message: str
    excluded: tuple[str, ...] = ()


def after_loss(
    run: Run, cause: Cause, now: Instant, allowance: Allowance = ALLOWANCE
) -> Requeued | Failed | Cancelled:
    """Return what follows when nobody will ever know how an attempt ended."""
    if run.is_unwanted:
        return Cancelled(Ending(Reason.CANCELLED, f"Cancelled. {cause.message}", ended=now.wall))
    losses = run.losses + 1
    if losses > allowance.losses:
        message = f"{cause.message}; this was loss {losses}, and {allowance.losses} are made good"
        return Failed(Ending(cause.reason, message, started=run.started, ended=now.wall))
    delay = allowance.delays[min(losses, len(allowance.delays)) - 1]
    return Requeued(
        attempt=run.attempt + 1,
        losses=losses,
        reason=cause.reason,
        message=cause.message,
        at=now.wall,
        not_before=now.wall + timedelta(seconds=delay) if delay else None,
        excluded=cause.excluded,
    )


def longest_wait(run: Run, allowance: Allowance = ALLOWANCE) -> float:
    """Return the longest wait that a Run's next attempt can have been given, in seconds."""
    doubled = run.retry.backoff * 2.0 ** min(max(run.attempt - 2, 0), MOST_DOUBLINGS)
    return max(min(doubled, allowance.longest_backoff), *allowance.delays)


def after_failure(
    run: Run, ending: Ending, now: Instant, allowance: Allowance = ALLOWANCE
) -> Requeued | Failed:
    """Return what follows when the program failed: its retry policy decides. Losses use up no attempt."""
    policy = run.retry
    failures = run.attempt - run.losses
    retryable = policy.retryable_reasons is None or ending.reason in policy.retryable_reasons
    if run.is_unwanted or not retryable or failures >= policy.max_attempts:
        return Failed(ending)
    delay = min(policy.backoff * 2.0 ** min(failures - 1, MOST_DOUBLINGS), allowance.longest_backoff)
    return Requeued(
        attempt=run.attempt + 1,
        losses=run.losses,
        reason=Reason.BACKING_OFF if delay else ending.reason,
        message=f"Attempt {run.attempt} ended: {ending.reason}. {ending.message}".strip(),
        at=now.wall,
        not_before=now.wall + timedelta(seconds=delay) if delay else None,
    )
