"""What a server's terminal snapshot means for the Run object; it writes nothing."""

from __future__ import annotations

from dataclasses import replace

from kruntimes_core.daemon.server import ErrorKind, RetryAdvice, RunState, ServerRun
from kruntimes_core.model.attempts import Allowance, Cause, after_failure, after_loss
from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Ended, Failed, Requeued, Succeeded, TimedOut
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason, from_wire
from kruntimes_core.model.run import Run

# Word of the CancelRun a daemon sends when its lease is over, and of a server that misses its daemon.
DAEMON_LOST = "DAEMON_LOST"
_MESSAGE_LIMIT = 4096
_BY_KIND = {
    ErrorKind.USER_INPUT: Reason.SOURCE_INVALID,
    ErrorKind.TIME_LIMIT: Reason.TIME_LIMIT,
    ErrorKind.CANCELLED: Reason.CANCELLED,
    ErrorKind.INFRASTRUCTURE: Reason.SERVER_LOST,
    ErrorKind.SERVER: Reason.SERVER_ERROR,
}


def conclude(ended: ServerRun, run: Run, now: Instant, allowance: Allowance) -> Ended | Requeued:
    """Return the event for a terminal snapshot: an end, or the next attempt."""
    ending = _ending(ended)
    match ended.state:
        case RunState.SUCCEEDED:
            return Succeeded(ending)
        case RunState.TIMED_OUT:
            return _timed_out(run, ending, now, allowance)
        case RunState.CANCELLED if _word(ended) != DAEMON_LOST:
            return Cancelled(replace(ending, reason=Reason.CANCELLED))
        case RunState.CANCELLED | RunState.LOST:
            reason = from_wire(_word(ended), Reason.OUTCOME_UNKNOWN)
            said = ending.message or "The server cannot tell how it ended"
            return after_loss(run, Cause(reason, f"Attempt {run.attempt} was lost: {said}"), now, allowance)
        case _:
            return _failed(ended, run, ending, now, allowance)


def _timed_out(run: Run, ending: Ending, now: Instant, allowance: Allowance) -> TimedOut | Requeued:
    """A time limit is tried again only where the retry policy names it."""
    reasons = run.retry.retryable_reasons
    if reasons is not None and ending.reason in reasons:
        after = after_failure(run, ending, now, allowance)
        if isinstance(after, Requeued):
            return after
    return TimedOut(ending)


def _failed(
    ended: ServerRun, run: Run, ending: Ending, now: Instant, allowance: Allowance
) -> Ended | Requeued:
    advice = ended.error.retry if ended.error else RetryAdvice.UNSPECIFIED
    kind = ended.error.kind if ended.error else ErrorKind.UNSPECIFIED
    if advice == RetryAdvice.NEVER:
        return Failed(ending)
    if kind == ErrorKind.INFRASTRUCTURE and advice in (RetryAdvice.RETRY, RetryAdvice.RETRY_ELSEWHERE):
        elsewhere = advice == RetryAdvice.RETRY_ELSEWHERE and run.assignment is not None
        excluded = (run.assignment.pod,) if elsewhere and run.assignment else ()
        return after_loss(run, Cause(Reason(ending.reason), ending.message, excluded), now, allowance)
    return after_failure(run, ending, now, allowance)


def _ending(ended: ServerRun) -> Ending:
    said = ended.error.message if ended.error and ended.error.message else ended.message
    return Ending(
        reason="" if ended.state == RunState.SUCCEEDED else _reason(ended),
        message=said[:_MESSAGE_LIMIT],
        exit_code=ended.exit_code,
        signal=ended.signal,
        result=ended.value,
        exception=ended.error.exception if ended.error else None,
        outputs=ended.outputs,
        output=ended.output,
        delivered=ended.accepted,
        started=ended.started,
        ended=ended.ended,
    )


def _reason(ended: ServerRun) -> Reason:
    if ended.state == RunState.TIMED_OUT:
        return from_wire(_word(ended), Reason.TIME_LIMIT)
    return from_wire(_word(ended), _reason_without_word(ended))


def _reason_without_word(ended: ServerRun) -> Reason:
    if ended.oom_killed:
        return Reason.OUT_OF_MEMORY
    kind = ended.error.kind if ended.error else ErrorKind.UNSPECIFIED
    if kind in _BY_KIND:
        return _BY_KIND[ErrorKind(kind)]
    if ended.signal is not None:
        return Reason.KILLED_BY_SIGNAL
    return Reason.NON_ZERO_EXIT if ended.exit_code else Reason.FAILED


def _word(ended: ServerRun) -> str:
    return ended.error.reason if ended.error and ended.error.reason else ended.reason
