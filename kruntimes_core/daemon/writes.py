"""What to write into one Run's status next; it asks nothing of the server."""

from __future__ import annotations

from kruntimes_core.daemon.decisions import Conclude, event_of
from kruntimes_core.daemon.duty import Duty
from kruntimes_core.daemon.instructions import Writable, Write
from kruntimes_core.daemon.server import RunState
from kruntimes_core.daemon.standing import Standing
from kruntimes_core.model.events import Delivered, Started
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Phase, Run


def next_write(duty: Duty, standing: Standing, now: Instant) -> Write | None:
    """Return the next write for a Run; None if there is none now."""
    run, current = duty.run, duty.current
    if run is None or current is None or duty.writes.busy is not None or now.monotonic < duty.writes.after:
        return None
    if standing.fence.up:
        return None  # whatever there is to report, the Run may be another's by now
    event = _event(duty, run, standing, now)
    return Write(standing.number(), current.key, run, event) if event is not None else None


def _event(duty: Duty, run: Run, standing: Standing, now: Instant) -> Writable | None:
    current = duty.current
    if current is None:
        return None
    decision = current.decision
    if decision is not None:
        if isinstance(decision, Conclude) and not current.collected and _can_collect(decision, standing):
            return None
        return event_of(decision, run, now, standing.settings.allowance)
    if run.phase is Phase.SCHEDULED and current.needs_claim(now.monotonic):
        return Delivered(now.wall)
    snapshot = duty.server.get(run.attempt)
    running_at = running_long_at(duty, standing)
    if snapshot is None or snapshot.state != RunState.RUNNING or running_at is None:
        return None
    return Started(snapshot.started or now.wall, snapshot.accepted) if now.monotonic >= running_at else None


def _can_collect(decision: Conclude, standing: Standing) -> bool:
    """Return whether the server that holds the output is there to be asked for it."""
    return standing.connected and decision.ended.instance == standing.instance


def running_long_at(duty: Duty, standing: Standing) -> float | None:
    """Return when the Run counts as running for longer than a moment, if it runs."""
    run, current = duty.run, duty.current
    if run is None or current is None or current.running_since is None or run.phase is not Phase.SCHEDULED:
        return None
    return current.running_since + standing.settings.running_after
