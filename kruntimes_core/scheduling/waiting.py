"""What a waiting Run is told, and when its wait is over; it looks at no member."""

from __future__ import annotations

from datetime import datetime, timedelta

from kruntimes_core.model.attempts import longest_wait
from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Held, TimedOut
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.scheduling.actions import End, Hold

# Kubernetes gives creation times in whole seconds.
_CREATED_ROUNDING = 1.0


def seconds_until_ready(run: Run, now: Instant) -> float:
    """Return how long a Run has to back off still."""
    if run.not_before is None:
        return 0.0
    # Whoever wrote it may have another wall clock: the wait is never longer than one that is given.
    return min(max((run.not_before - now.wall).total_seconds(), 0.0), longest_wait(run))


def seconds_in_queue(run: Run, now: Instant, seen_for: float) -> float:
    """Return how long a Run has waited in this attempt, never less than it was seen waiting."""
    if run.queued is not None:
        return max((now.wall - run.queued).total_seconds(), seen_for)
    return max((now.wall - run.created).total_seconds() - _CREATED_ROUNDING, seen_for)


def began(run: Run, now: Instant, seen_for: float) -> datetime:
    """Return when its wait began: as written, else when first seen, at most a second after its creation."""
    if run.queued is not None:
        return run.queued
    seen = now.wall - timedelta(seconds=seen_for)
    latest = min(run.created + timedelta(seconds=_CREATED_ROUNDING), now.wall)
    return min(max(seen, run.created), latest)


def hold(run: Run, reason: Reason) -> Hold:
    """Return the writing of why a Run waits."""
    return Hold(run, Held(reason, _MESSAGES[reason].format(runtime=run.runtime, wanted=_wanted(run))))


def cancel(run: Run, now: Instant) -> End:
    """Return the end of a Run that was cancelled before any member had it."""
    return End(run, Cancelled(Ending(Reason.CANCELLED, "Cancelled before it was assigned", ended=now.wall)))


def time_out(run: Run, now: Instant) -> End:
    """Return the end of a Run that waited too long."""
    message = f"Waited longer than its queueTimeout of {run.queue_timeout:g} s"
    if run.reason:
        message += f"; it last waited for {run.reason}"
    return End(run, TimedOut(Ending(Reason.QUEUE_TIME_LIMIT, message, ended=now.wall)))


def _wanted(run: Run) -> str:
    return ", ".join(f"{name}={amount}" for name, amount in sorted(run.requests.items()))


_MESSAGES = {
    Reason.NO_SUCH_RUNTIME: "There is no Runtime {runtime} in this namespace; create it, or delete this Run",
    Reason.NO_READY_MEMBER: "No member of Runtime {runtime} is ready; see its Pods",
    Reason.NO_ROOM: "No ready member of Runtime {runtime} has room now for {wanted}",
    Reason.NEVER_FITS: "No ready member of Runtime {runtime} that may take it is large enough for {wanted}",
}
