"""What to ask of the server, or of the disk, next for one Run; it writes nothing to the API."""

from __future__ import annotations

from kruntimes_core.daemon.decisions import CallOff, GiveBack, Lose
from kruntimes_core.daemon.duty import Duty, Try
from kruntimes_core.daemon.endings import DAEMON_LOST, conclude
from kruntimes_core.daemon.instructions import Cancel, Clear, Collect, Fill, Forget, Look, OfRun, Start
from kruntimes_core.daemon.server import ServerRun
from kruntimes_core.daemon.standing import Standing
from kruntimes_core.model.attempts import Cause
from kruntimes_core.model.events import Requeued
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import AcceptState

_CANCELLED = "CANCELLED"
# A server needs a moment after its grace to see that everything is gone.
_AFTER_GRACE = 1.0


def next_call(duty: Duty, standing: Standing, now: Instant) -> OfRun | None:
    """Return the next call for a Run; None if there is none now. It may decide what becomes of the Run."""
    if duty.calls.busy is not None or now.monotonic < duty.calls.after:
        return None
    for key in duty.litter:
        mine = duty.current is not None and duty.current.key == key
        if not mine and key.attempt not in duty.server:  # what may be running there is stopped first
            return Clear(standing.number(), key)
    if standing.connected:
        call = _stop_behind_fence(duty, standing) or _put_away(duty, standing, now)
        if call is not None:
            return call
    if duty.run is None or duty.current is None:
        return None
    snapshot = duty.server.get(duty.run.attempt)
    if snapshot is not None:
        return _attend(duty, duty.run, snapshot, standing, now)
    if duty.current.decision is not None:
        return None
    return _bring_to_start(duty, duty.run, standing, now)


def _stop_behind_fence(duty: Duty, standing: Standing) -> OfRun | None:
    """Stop what runs: its lease is over, and its successor may start soon."""
    if not standing.fence.up:
        return None
    for attempt, snapshot in duty.server.items():
        if not snapshot.is_terminal and duty.cancels.get(attempt) != DAEMON_LOST:
            return Cancel(standing.number(), snapshot.key, standing.settings.fence_grace, DAEMON_LOST)
    return None


def _put_away(duty: Duty, standing: Standing, now: Instant) -> OfRun | None:
    """End and forget attempts that are not, or no longer, this member's."""
    if not standing.api_synced:
        return None  # nobody knows yet whose they are
    for attempt, snapshot in duty.server.items():
        if duty.current is not None and duty.current.key.attempt == attempt:
            continue
        if snapshot.is_terminal:
            return Forget(standing.number(), snapshot.key, stop=False)
        if duty.run is not None:
            return Forget(standing.number(), snapshot.key, stop=True)
        if attempt not in duty.stops:
            grace = standing.settings.default_grace if duty.grace is None else duty.grace
            duty.stops[attempt] = now.monotonic + grace + _AFTER_GRACE
        if now.monotonic >= duty.stops[attempt]:
            return Forget(standing.number(), snapshot.key, stop=True)
        if attempt not in duty.cancels:
            return Cancel(standing.number(), snapshot.key, None, _CANCELLED)
    return None


def _attend(duty: Duty, run: Run, snapshot: ServerRun, standing: Standing, now: Instant) -> OfRun | None:
    """Look after a Run that the server has."""
    if duty.current is None or not standing.connected:
        return None
    if snapshot.is_terminal:
        if duty.current.collected or snapshot.instance != standing.instance:
            return None
        # What does not end the Run keeps no tails in its status.
        requeued = isinstance(conclude(snapshot, run, now, standing.settings.allowance), Requeued)
        return Collect(standing.number(), snapshot.key, snapshot, to_log=requeued)
    if run.attempt in duty.missing and standing.server_synced:
        return Look(standing.number(), snapshot.key)
    if run.is_unwanted and run.attempt not in duty.cancels:
        return Cancel(standing.number(), snapshot.key, None, _CANCELLED)
    return None


def _bring_to_start(duty: Duty, run: Run, standing: Standing, now: Instant) -> OfRun | None:
    """Find out whether this attempt was started before; if it was not, go on."""
    current = duty.current
    if current is None:
        return None
    if not standing.server_synced:
        _lose_patience(current, run, standing, now)
        return None
    instance = _instance_before(current, run)
    if instance and instance != standing.instance:
        cause = Cause(Reason.SERVER_LOST, f"The runtime server restarted under attempt {run.attempt}")
        current.decision = Lose(cause)
        return None
    if current.settling:
        return Forget(standing.number(), current.key, stop=True)
    if current.accepted or current.look or run.phase is Phase.RUNNING:
        return Look(standing.number(), current.key)
    if not _decide_against(current, run, standing):
        return _prepare(current, run, standing, now)
    return Forget(standing.number(), current.key, stop=True) if current.settling else None


def _prepare(current: Try, run: Run, standing: Standing, now: Instant) -> OfRun | None:
    """Take the next step towards a start."""
    if current.stop_older:
        return Forget(standing.number(), RunKey(run.uid, run.attempt - 1), stop=True)
    if standing.fence.up or not standing.api_synced or current.needs_claim(now.monotonic):
        return None
    if not current.filled:
        return Fill(standing.number(), current.key, run)
    return Start(standing.number(), current.key, run, standing.instance, standing.fence.until)


def _instance_before(current: Try, run: Run) -> str:
    """Return the instance of the server that has, or may have, started this attempt; empty if none can."""
    if current.accepted or current.unknown:
        return current.accepted or current.unknown
    inherited = current.inherited or run.phase is Phase.RUNNING
    return run.assignment.instance if inherited and run.assignment else ""


def _lose_patience(current: Try, run: Run, standing: Standing, now: Instant) -> None:
    """Give a Run back that surely was not started, when the server stays away."""
    surely_not_started = not (current.accepted or current.unknown or current.inherited)
    if standing.away_since is None or not surely_not_started or run.phase is not Phase.SCHEDULED:
        return
    if run.is_unwanted:
        current.decision = CallOff()
    elif now.monotonic >= standing.away_since + standing.settings.patience:
        delay = standing.settings.hand_back_delay
        current.decision = GiveBack(Reason.NOT_READY, "The runtime server does not answer", delay)


def _decide_against(current: Try, run: Run, standing: Standing) -> bool:
    """Return whether there is nothing to start; the decision, or the way to it, is taken."""
    if run.is_unwanted:
        if current.unknown or current.inherited:
            current.settling = True
        else:
            current.decision = CallOff()
        return True
    if standing.is_accepting or current.unknown or current.inherited:
        return False
    if standing.accept_state is AcceptState.DRAINING:
        current.decision = GiveBack(Reason.DRAINING, "The runtime server is draining", excluding=True)
    else:
        delay = standing.settings.hand_back_delay
        current.decision = GiveBack(Reason.NOT_READY, "The runtime server is not ready", delay)
    return True
