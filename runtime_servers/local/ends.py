"""How a Run ended, from what its slot reported, in words for people. Pure; waits for nothing."""

import errno
from collections.abc import Callable
from typing import Final, NamedTuple

from kruntimes.server import End, ErrorKind, RetryAdvice, RunError

from runtime_servers.local.command import Exit
from runtime_servers.local.messages import (
    AT_FILES,
    AT_PROGRAM,
    AT_SCRIPT,
    AT_WORKSPACE,
    FILE_LARGE,
    FILE_READ,
    OUTPUTS_BYTES,
    RESULT_BYTES,
    Ended,
    Failed,
    Left,
)
from runtime_servers.local.outputs import BadOutputs, parse_outputs
from runtime_servers.local.value import BadValue, parse_value

Judge = Callable[[Exit], RunError | None]


class Said(NamedTuple):
    """What a program said outside its files: the end of its standard error, and its note."""

    stderr: bytes = b""
    note: bytes = b""


LOST: Final = End(
    error=RunError(
        ErrorKind.INFRASTRUCTURE,
        "SLOT_LOST",
        "The process that looked after the Run was killed or did not answer, so its end is not known. "
        "Nothing of the Run was left running.",
        RetryAdvice.RETRY,
    )
)


def no_slot(why: str) -> End:
    """The Run was accepted, and the machine could not begin it."""
    return End(error=_not_begun(f"The Run could not be begun: {why}."))


def explain(failed: Failed) -> End:
    """User code never ran."""
    return End(error=_failure(failed))


def conclude(ended: Ended, said: Said, judge: Judge) -> End:
    """The program ran and ended; its own failure comes before anything about what it left."""
    code = ended.code
    outputs, bad_outputs = _outputs(ended.outputs)
    value, bad_value = _value(ended.result)
    if code:
        error = judge(Exit(code, *said)) if code > 0 else None
    else:
        error = bad_outputs or bad_value
    return End(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        error=error,
        outputs=outputs,
        value=value,
        before_stop=ended.by_itself,
    )


def _outputs(left: Left) -> tuple[dict[str, str], RunError | None]:
    if left.became != FILE_READ:
        return {}, _unread(left, "outputs", OUTPUTS_BYTES)
    try:
        return parse_outputs(left.data), None
    except BadOutputs as bad:
        return {}, RunError(ErrorKind.USER_CODE, "OUTPUTS_INVALID", str(bad))


def _value(left: Left) -> tuple[bytes | None, RunError | None]:
    if left.became != FILE_READ:
        return None, _unread(left, "result", RESULT_BYTES)
    try:
        return parse_value(left.data), None
    except BadValue as bad:
        return None, RunError(ErrorKind.USER_CODE, "RESULT_INVALID", str(bad))


def _unread(left: Left, name: str, most: int) -> RunError:
    if left.became == FILE_LARGE:
        message = f"The {name} file holds more than {most} bytes."
        return RunError(ErrorKind.RESOURCE_LIMIT, "RESULT_TOO_LARGE", message)
    message = (
        f"At the path in KRUNTIMES_{name.upper()} there is no plain file any more; "
        "write into the file that is there."
    )
    return RunError(ErrorKind.USER_CODE, f"{name.upper()}_INVALID", message)


def _failure(failed: Failed) -> RunError:
    if failed.at == AT_SCRIPT:
        return _input("SOURCE_NOT_FOUND", f"There is no file {failed.detail!r} in the workspace to run.")
    if failed.at == AT_FILES:
        return _input("SPEC_INVALID", f"The source cannot be put at {failed.detail!r}: {failed.why}.")
    if failed.at == AT_PROGRAM and failed.errno == errno.E2BIG:
        return _input("SPEC_INVALID", "The arguments and variables are too long for this machine together.")
    if failed.at == AT_PROGRAM and failed.errno in _PROGRAM:
        return _input("MISSING_PROGRAM", _PROGRAM[failed.errno].format(failed.detail))
    if failed.at == AT_WORKSPACE:
        message = f"The workspace {failed.detail!r} cannot be used: {failed.why}."
        return RunError(ErrorKind.INFRASTRUCTURE, "WORKSPACE_FAILED", message, RetryAdvice.RETRY)
    return _not_begun(f"The Run could not be begun ({failed.at}, {failed.detail!r}): {failed.why}.")


_PROGRAM: Final = {
    errno.ENOENT: "There is no program {0!r} here, or what its first line names is missing.",
    errno.ENOTDIR: "There is no program {0!r} here: part of its path is no directory.",
    errno.EACCES: "The program {0!r} may not be executed.",
    errno.ENOEXEC: "The file {0!r} is no program that this machine can execute.",
    errno.EINVAL: "The name of the program {0!r}, its arguments or its variables hold what none may hold.",
    errno.EISDIR: "{0!r} is a directory and no program.",
    errno.ELOOP: "The path of the program {0!r} is a circle of links.",
    errno.ENAMETOOLONG: "The name of the program {0!r} is too long.",
}


def _input(reason: str, message: str) -> RunError:
    return RunError(ErrorKind.USER_INPUT, reason, message, RetryAdvice.NEVER)


def _not_begun(message: str) -> RunError:
    return RunError(ErrorKind.INFRASTRUCTURE, "SLOT_FAILED", message, RetryAdvice.RETRY_ELSEWHERE)
