"""What the outcome of an instruction changes in what is known of a Run; it gives out no instruction."""

from __future__ import annotations

from dataclasses import replace

from kruntimes_core.daemon import instructions as told
from kruntimes_core.daemon.decisions import Conclude, Fail, GiveBack, Lose
from kruntimes_core.daemon.duty import Duty, Lane, Try
from kruntimes_core.daemon.server import Code, RunState, ServerRun
from kruntimes_core.daemon.standing import Standing
from kruntimes_core.daemon.verdicts import Verdict, judge_start, reason_of
from kruntimes_core.model.attempts import Cause
from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Delivered, Failed, Started, Succeeded, TimedOut
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import apply


def take_snapshot(duty: Duty, snapshot: ServerRun, standing: Standing, now: Instant) -> None:
    """Take what the server says of one attempt, unless something newer is known."""
    if standing.instance and snapshot.instance != standing.instance:
        return
    attempt = snapshot.key.attempt
    known = duty.server.get(attempt)
    duty.missing.discard(attempt)
    if known is not None and known.instance == snapshot.instance and known.revision >= snapshot.revision:
        return
    duty.server[attempt] = snapshot
    current = duty.current
    if current is None or current.key != snapshot.key:
        return
    current.accepted = snapshot.instance
    current.look = False
    duty.litter.discard(snapshot.key)  # the server's slot owns it now
    if snapshot.state == RunState.RUNNING and current.running_since is None:
        current.running_since = now.monotonic
    if snapshot.is_terminal:
        current.decision = Conclude(snapshot)


def take(duty: Duty, order: told.OfRun, outcome: told.Outcome, standing: Standing, now: Instant) -> None:
    """Take the outcome of one instruction."""
    lane_of(duty, order).busy = None
    match order:
        case told.Write():
            _take_write(duty, order, outcome, standing, now)
        case told.Start():
            _take_start(duty, order, outcome, standing, now)
        case told.Forget():
            _take_forget(duty, order, outcome, standing, now)
        case told.Look() | told.Cancel():
            _take_answer(duty, order, outcome, standing, now)
        case told.Fill():
            _take_fill(duty, order, outcome, standing)
        case told.Clear():
            duty.litter.discard(order.key)
        case told.Follow():
            _take_follow(duty, order, outcome, standing, now)
        case told.Collect():
            if duty.current is not None and duty.current.key == order.key:
                duty.current.collected = True


def lane_of(duty: Duty, order: told.OfRun) -> Lane:
    """Return the lane that an instruction is under way in."""
    match order:
        case told.Write():
            return duty.writes
        case told.Follow():
            return duty.follows
        case _:
            return duty.calls


def _current(duty: Duty, order: told.OfRun) -> Try | None:
    """Return the attempt an order was given for, if it is still the current one."""
    return duty.current if duty.current is not None and duty.current.key == order.key else None


def _again(duty: Duty, standing: Standing, now: Instant) -> None:
    duty.calls.again(now.monotonic, standing.settings.repeat_after, standing.settings.repeat_at_most)


def _take_fill(duty: Duty, order: told.Fill, outcome: told.Outcome, standing: Standing) -> None:
    current = _current(duty, order)
    if current is None:
        return
    match outcome:
        case told.Done():
            current.filled = True
        case told.Unfillable(reason, message):
            current.decision = Fail(reason, message)
        case told.Broken(message):
            delay = standing.settings.hand_back_delay
            current.decision = GiveBack(Reason.WORKSPACE_FAILED, message, delay, excluding=True)


def _take_start(
    duty: Duty, order: told.Start, outcome: told.Outcome, standing: Standing, now: Instant
) -> None:
    current = _current(duty, order)
    match outcome:
        case told.Answered(snapshot):
            duty.calls.worked()
            standing.full_in_row = 0
            duty.litter.discard(order.key)
            take_snapshot(duty, snapshot, standing, now)
        case told.Refused() if current is not None:
            verdict = judge_start(outcome)
            if verdict in (Verdict.UNCLEAR, Verdict.REPEAT):
                _start_unknown(current, order, verdict, standing)
            elif verdict is Verdict.LOOK:
                _start_aborted(current, outcome, standing, now)
            else:
                _start_refused(current, verdict, outcome, standing)
            if verdict in (Verdict.STOP_OLDER, Verdict.LOOK, Verdict.UNCLEAR, Verdict.REPEAT):
                _again(duty, standing, now)
        case told.Refused() if judge_start(outcome) in (Verdict.REPEAT, Verdict.UNCLEAR):
            # It may be running though it is no longer wanted here: make sure that it is not.
            duty.server.setdefault(
                order.key.attempt, ServerRun(order.key, order.instance, 0, RunState.QUEUED)
            )


def _start_refused(current: Try, verdict: Verdict, refused: told.Refused, standing: Standing) -> None:
    """Take note of a clear answer: it was not started."""
    message = refused.message or f"The runtime server refused the Run: {refused.code}"
    match verdict:
        case Verdict.FAIL:
            current.decision = Fail(reason_of(refused), message)
        case Verdict.ELSEWHERE:
            current.decision = GiveBack(reason_of(refused), message, excluding=True)
        case Verdict.STOP_OLDER:
            current.stop_older = True
        case _:
            draining = refused.reason == "DRAINING"
            delay = 0.0 if draining else standing.full_delay()
            current.decision = GiveBack(reason_of(refused), message, delay, excluding=draining)


def _start_unknown(current: Try, order: told.Start, verdict: Verdict, standing: Standing) -> None:
    """Take note that it may be running: the scheduler leaves claimed Runs to their daemon."""
    current.unknown = current.unknown or order.instance
    current.claim = True
    current.refusals += verdict is Verdict.UNCLEAR
    current.settling = current.refusals >= standing.settings.start_tries


def _start_aborted(current: Try, refused: told.Refused, standing: Standing, now: Instant) -> None:
    """Shake hands again; then look, unless the server only said that it is another instance."""
    current.look = refused.reason != "INSTANCE_CHANGED"
    standing.resync_wanted = True
    standing.api_synced = False
    standing.disconnect(now.monotonic)


def _take_forget(
    duty: Duty, order: told.Forget, outcome: told.Outcome, standing: Standing, now: Instant
) -> None:
    current, attempt = duty.current, order.key.attempt
    if isinstance(outcome, told.Refused) and outcome.code is not Code.NOT_FOUND:
        if outcome.code is Code.FAILED_PRECONDITION:
            duty.drop_snapshot(attempt)  # it is not terminal after all: the server's next list tells
            standing.disconnect(now.monotonic)
        _again(duty, standing, now)
        return
    duty.calls.worked()
    duty.drop_snapshot(attempt)
    if current is None:
        return
    if current.key.attempt == attempt and current.settling:
        current.decision = Lose(Cause(Reason.OUTCOME_UNKNOWN, "The runtime server never gave a clear answer"))
    elif attempt < current.key.attempt:
        current.stop_older = False


def _take_answer(
    duty: Duty, order: told.Look | told.Cancel, outcome: told.Outcome, standing: Standing, now: Instant
) -> None:
    if isinstance(outcome, told.Answered):
        duty.calls.worked()
        if isinstance(order, told.Cancel):
            duty.cancels[order.key.attempt] = order.reason
        take_snapshot(duty, outcome.snapshot, standing, now)
        return
    if not isinstance(outcome, told.Refused) or outcome.code is not Code.NOT_FOUND:
        _again(duty, standing, now)
        return
    duty.drop_snapshot(order.key.attempt)
    current = _current(duty, order)
    if current is not None and current.decision is None:
        message = f"The runtime server knows nothing of attempt {order.key.attempt}"
        current.decision = Lose(Cause(Reason.SERVER_LOST, message))


def _take_follow(
    duty: Duty, order: told.Follow, outcome: told.Outcome, standing: Standing, now: Instant
) -> None:
    """Go on after what broke, unless the server has no output to read."""
    current = _current(duty, order)
    hopeless = isinstance(outcome, told.Refused) and outcome.code is Code.UNIMPLEMENTED
    if current is None or hopeless or isinstance(outcome, told.Done):
        duty.follows.worked()
        if current is not None:
            current.followed = True
        return
    duty.follows.again(now.monotonic, standing.settings.repeat_after, standing.settings.repeat_at_most)


def _take_write(
    duty: Duty, order: told.Write, outcome: told.Outcome, standing: Standing, now: Instant
) -> None:
    current = _current(duty, order)
    match outcome:
        case told.Written(version):
            duty.writes.worked()
            _take_written(duty, order, int(version), current)
        case told.Superseded():
            duty.writes.worked()
            if duty.run is not None and duty.run.key == order.key:
                duty.disowned = duty.version
                duty.current = None
        case told.Rejected(message):
            _take_rejected(current, order, message)
            duty.writes.again(now.monotonic, 1.0, standing.settings.repeat_at_most)
        case _:
            duty.writes.again(now.monotonic, standing.settings.repeat_after, standing.settings.repeat_at_most)


def _take_written(duty: Duty, order: told.Write, version: int, current: Try | None) -> None:
    """Know at once what was written.

    The version written is still news when the watch shows it: others may have changed the Run just before.
    """
    if duty.run is not None and version > duty.version:
        duty.run = replace(apply(duty.run, order.event), version=str(version))
        duty.version = version - 1
    if isinstance(order.event, Delivered):
        if current is not None:
            current.claimed = order.number > current.claim_from
    elif not isinstance(order.event, Started) and current is not None:
        # A later attempt that has come back here meanwhile is none of this write's business.
        duty.current = None


def _take_rejected(current: Try | None, order: told.Write, message: str) -> None:
    """Say less, and why: a result that cannot be stored must not keep the Run from ending."""
    if current is not None and isinstance(order.event, Succeeded | Failed | TimedOut | Cancelled):
        ending: Ending = order.event.ending
        said = f"The result could not be stored: {message}"[:1000]
        exited = f" (exit code {ending.exit_code})" if ending.exit_code is not None else ""
        current.decision = Fail(Reason.RESULT_TOO_LARGE, said + exited)
