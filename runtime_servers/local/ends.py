"""How a Run ended, from what its slot reported, in words for people. Pure; waits for nothing."""

import errno
from collections.abc import Callable
from typing import Final

from kruntimes.server import End, ErrorKind, RetryAdvice, RunError

from runtime_servers.local.messages import (
    AT_FILES,
    AT_PROGRAM,
    AT_SCRIPT,
    AT_WORKSPACE,
    OUTPUTS_BYTES,
    OUTPUTS_LARGE,
    OUTPUTS_READ,
    Ended,
    Failed,
)
from runtime_servers.local.outputs import BadOutputs, parse_outputs

Judge = Callable[[int, bytes], RunError | None]

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


def conclude(ended: Ended, stderr: bytes, judge: Judge) -> End:
    """The program ran and ended; its own failure comes before anything about its outputs."""
    code = ended.code
    error = judge(code, stderr) if code > 0 else None
    outputs: dict[str, str] = {}
    try:
        outputs = _outputs(ended)
    except BadOutputs as bad:
        if code == 0:
            error = RunError(ErrorKind.USER_CODE, "OUTPUTS_INVALID", str(bad))
    except OverflowError as large:
        if code == 0:
            error = RunError(ErrorKind.RESOURCE_LIMIT, "RESULT_TOO_LARGE", str(large))
    return End(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        error=error,
        outputs=outputs,
        before_stop=ended.by_itself,
    )


def _outputs(ended: Ended) -> dict[str, str]:
    if ended.outputs == OUTPUTS_READ:
        return parse_outputs(ended.data)
    if ended.outputs == OUTPUTS_LARGE:
        raise OverflowError(f"The outputs file holds more than {OUTPUTS_BYTES} bytes.")
    raise BadOutputs(
        "At the path in KRUNTIMES_OUTPUTS there is no plain file any more; write into the file that is there."
    )


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
