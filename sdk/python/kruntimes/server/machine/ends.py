"""How a Run ended: the author's End and the kit's first cause make one terminal state. Pure."""

from dataclasses import replace
from typing import Final, NamedTuple

from kruntimes.server.author import End, ErrorKind, RetryAdvice, RunError
from kruntimes.server.bounds import (
    ERROR_MESSAGE_BYTES,
    ERROR_METADATA_BYTES,
    NAME_BYTES,
    OUTPUTS_BYTES,
    REASON_BYTES,
    TRACE_BYTES,
    VALUE_BYTES,
    fit,
    fit_end,
)
from kruntimes.server.machine.record import Cause, State, Why

STOPPED: Final[dict[Why, tuple[State, ErrorKind, RetryAdvice]]] = {
    Why.CANCEL: (State.CANCELLED, ErrorKind.CANCELLED, RetryAdvice.UNSPECIFIED),
    Why.TIME_LIMIT: (State.TIMED_OUT, ErrorKind.TIME_LIMIT, RetryAdvice.UNSPECIFIED),
    Why.QUEUE_TIME_LIMIT: (State.TIMED_OUT, ErrorKind.TIME_LIMIT, RetryAdvice.UNSPECIFIED),
    Why.DRAINED: (State.FAILED, ErrorKind.INFRASTRUCTURE, RetryAdvice.RETRY),
}


class Conclusion(NamedTuple):
    """The terminal state, its error (None only for SUCCEEDED), and the End cut to its bounds."""

    state: State
    error: RunError | None
    end: End


def conclude(end: End, cause: Cause | None) -> Conclusion:
    """The first cause decides, unless the program had ended by itself before the stop reached it."""
    kept, excess = _within_bounds(end)
    if cause is not None and not end.before_stop:
        state, kind, retry = STOPPED[cause.why]
        return Conclusion(state, RunError(kind, cause.reason, cause.message, retry), kept)
    error = _own_error(end)
    if excess and error is None:
        error = RunError(ErrorKind.RESOURCE_LIMIT, "RESULT_TOO_LARGE", excess, RetryAdvice.UNSPECIFIED)
    elif excess and error is not None:
        error = replace(error, message=f"{error.message} ({excess})".strip())
    if error is None:
        return Conclusion(State.SUCCEEDED, None, kept)
    return Conclusion(State.FAILED, _bounded(error), kept)


def _own_error(end: End) -> RunError | None:
    if end.error is not None:
        return end.error
    if end.oom_killed:
        return RunError(ErrorKind.RESOURCE_LIMIT, "OUT_OF_MEMORY", "The memory limit of the Run killed it.")
    if end.signal is not None:
        return RunError(ErrorKind.USER_CODE, "KILLED_BY_SIGNAL", f"Signal {end.signal} ended the program.")
    if end.exit_code:
        return RunError(
            ErrorKind.USER_CODE, "NON_ZERO_EXIT", f"The program exited with code {end.exit_code}."
        )
    return None


def _within_bounds(end: End) -> tuple[End, str]:
    """The End with what fits, and a sentence about what does not; empty when all does."""
    if not end.outputs and end.value is None:
        return end, ""
    outputs = {fit(name, len(name) * 4): fit(text, len(text) * 4) for name, text in end.outputs.items()}
    size = sum(len(name.encode()) + len(text.encode()) for name, text in outputs.items())
    long = any(len(name.encode()) > NAME_BYTES for name in outputs)
    if size > OUTPUTS_BYTES or long:
        over = f"Its outputs hold {size} bytes; {OUTPUTS_BYTES} together and {NAME_BYTES} per name are kept"
        return replace(end, outputs={}, value=None), over
    if end.value is not None and len(end.value) > VALUE_BYTES:
        over = f"Its value holds {len(end.value)} bytes; {VALUE_BYTES} are kept"
        return replace(end, outputs={}, value=None), over
    return replace(end, outputs=outputs), ""


def _bounded(error: RunError) -> RunError:
    metadata: dict[str, str] = {}
    room = ERROR_METADATA_BYTES
    for name, text in error.metadata.items():
        name, text = fit(name, NAME_BYTES), fit(text, ERROR_METADATA_BYTES)
        room -= len(name.encode()) + len(text.encode())
        if room < 0:
            break
        metadata[name] = text
    return RunError(
        kind=error.kind,
        reason=fit(error.reason, REASON_BYTES),
        message=fit(error.message, ERROR_MESSAGE_BYTES),
        retry=error.retry,
        exception_type=fit(error.exception_type, NAME_BYTES),
        trace=fit_end(error.trace, TRACE_BYTES),
        metadata=metadata,
    )
