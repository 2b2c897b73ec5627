"""How a Run ended, from what its slot reported."""

import errno

import pytest
from kruntimes.server import ErrorKind, RetryAdvice, RunError

from runtime_servers.local.ends import conclude, explain
from runtime_servers.local.messages import (
    AT_FILES,
    AT_FORK,
    AT_PROGRAM,
    AT_SCRIPT,
    AT_WORKSPACE,
    OUTPUTS_LARGE,
    OUTPUTS_NO_FILE,
    OUTPUTS_READ,
    Ended,
    Failed,
)

INVALID = RunError(ErrorKind.USER_INPUT, "SOURCE_INVALID")


def judge(code: int, stderr: bytes) -> RunError | None:
    return INVALID if stderr == b"bad" else None


FAILURES = {
    "a missing program": (Failed(AT_PROGRAM, errno.ENOENT, "", "x"), "MISSING_PROGRAM", RetryAdvice.NEVER),
    "a program without permission": (
        Failed(AT_PROGRAM, errno.EACCES, "", "x"),
        "MISSING_PROGRAM",
        RetryAdvice.NEVER,
    ),
    "too many arguments": (Failed(AT_PROGRAM, errno.E2BIG, "", "x"), "SPEC_INVALID", RetryAdvice.NEVER),
    "a missing source": (Failed(AT_SCRIPT, 0, "", "x"), "SOURCE_NOT_FOUND", RetryAdvice.NEVER),
    "a source in the way": (Failed(AT_FILES, errno.EEXIST, "", "x"), "SPEC_INVALID", RetryAdvice.NEVER),
    "a bad workspace": (Failed(AT_WORKSPACE, errno.ENOTDIR, "", "x"), "WORKSPACE_FAILED", RetryAdvice.RETRY),
    "no memory to fork": (Failed(AT_FORK, errno.ENOMEM, "", "x"), "SLOT_FAILED", RetryAdvice.RETRY_ELSEWHERE),
    "no memory to exec": (
        Failed(AT_PROGRAM, errno.ENOMEM, "", "x"),
        "SLOT_FAILED",
        RetryAdvice.RETRY_ELSEWHERE,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_never_ran_is_explained(name: str) -> None:
    failed, reason, retry = FAILURES[name]
    error = explain(failed).error
    assert error is not None
    assert (error.reason, error.retry) == (reason, retry)
    assert error.message.endswith(".")


def test_an_exit_code_and_a_signal_are_kept_apart() -> None:
    exited = conclude(Ended(7, False, OUTPUTS_READ, b""), b"", judge)
    killed = conclude(Ended(-9, True, OUTPUTS_READ, b""), b"", judge)
    assert (exited.exit_code, exited.signal, exited.before_stop) == (7, None, False)
    assert (killed.exit_code, killed.signal, killed.before_stop) == (None, 9, True)


def test_the_language_judges_a_code_that_is_not_zero_and_nothing_else() -> None:
    assert conclude(Ended(2, True, OUTPUTS_READ, b""), b"bad", judge).error == INVALID
    assert conclude(Ended(2, True, OUTPUTS_READ, b""), b"fine", judge).error is None
    assert conclude(Ended(0, True, OUTPUTS_READ, b""), b"bad", judge).error is None
    assert conclude(Ended(-9, True, OUTPUTS_READ, b""), b"bad", judge).error is None


BAD = {OUTPUTS_READ: "OUTPUTS_INVALID", OUTPUTS_NO_FILE: "OUTPUTS_INVALID", OUTPUTS_LARGE: "RESULT_TOO_LARGE"}


@pytest.mark.parametrize("outputs", BAD)
def test_bad_outputs_fail_a_program_that_did_well_and_change_no_other_end(outputs: str) -> None:
    well = conclude(Ended(0, True, outputs, b"x"), b"", judge)
    assert well.error is not None
    assert well.error.reason == BAD[outputs]
    assert conclude(Ended(7, True, outputs, b"x"), b"", judge).error is None
    assert conclude(Ended(-9, True, outputs, b"x"), b"", judge).error is None
