"""How a Run ended, from what its slot reported."""

import errno

import pytest
from kruntimes.server import ErrorKind, RetryAdvice, RunError
from kruntimes.server.bounds import VALUE_BYTES

from runtime_servers.local.command import Exit
from runtime_servers.local.ends import Said, conclude, explain
from runtime_servers.local.messages import (
    AT_FILES,
    AT_FORK,
    AT_PROGRAM,
    AT_SCRIPT,
    AT_WORKSPACE,
    FILE_LARGE,
    FILE_NOT_PLAIN,
    FILE_READ,
    RESULT_BYTES,
    Ended,
    Failed,
    Left,
)

NOTHING = Left(FILE_READ)
INVALID = RunError(ErrorKind.USER_INPUT, "SOURCE_INVALID")


def ended(code: int, by_itself: bool = True, **left: Left) -> Ended:
    return Ended(code, by_itself, left.get("outputs", NOTHING), left.get("result", NOTHING))


def judge(end: Exit) -> RunError | None:
    return INVALID if b"bad" in (end.stderr, end.note) else None


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
    exited = conclude(ended(7, by_itself=False), Said(), judge)
    killed = conclude(ended(-9), Said(), judge)
    assert (exited.exit_code, exited.signal, exited.before_stop) == (7, None, False)
    assert (killed.exit_code, killed.signal, killed.before_stop) == (None, 9, True)


def test_the_language_judges_a_code_that_is_not_zero_and_nothing_else() -> None:
    assert conclude(ended(2), Said(b"bad"), judge).error == INVALID
    assert conclude(ended(2), Said(note=b"bad"), judge).error == INVALID
    assert conclude(ended(2), Said(b"fine"), judge).error is None
    assert conclude(ended(0), Said(b"bad"), judge).error is None
    assert conclude(ended(-9), Said(b"bad"), judge).error is None


BAD: dict[str, tuple[dict[str, Left], str]] = {
    "outputs that are none": ({"outputs": Left(FILE_READ, b"x")}, "OUTPUTS_INVALID"),
    "an outputs file that is gone": ({"outputs": Left(FILE_NOT_PLAIN)}, "OUTPUTS_INVALID"),
    "too many outputs": ({"outputs": Left(FILE_LARGE)}, "RESULT_TOO_LARGE"),
    "a value that is none": ({"result": Left(FILE_READ, b"x")}, "RESULT_INVALID"),
    "a result file that is gone": ({"result": Left(FILE_NOT_PLAIN)}, "RESULT_INVALID"),
    "too large a value": ({"result": Left(FILE_LARGE)}, "RESULT_TOO_LARGE"),
}


@pytest.mark.parametrize(("left", "reason"), BAD.values(), ids=BAD)
def test_what_was_left_badly_fails_a_program_that_did_well_and_changes_no_other_end(
    left: dict[str, Left], reason: str
) -> None:
    well = conclude(ended(0, True, **left), Said(), judge)
    assert well.error is not None
    assert well.error.reason == reason
    assert conclude(ended(7, True, **left), Said(), judge).error is None
    assert conclude(ended(-9, True, **left), Said(), judge).error is None


def test_a_value_is_kept_whatever_the_end() -> None:
    left = Left(FILE_READ, b" [1, 2]\n")
    assert [conclude(ended(code, result=left), Said(), judge).value for code in (0, 7, -9)] == [b"[1, 2]"] * 3


def test_the_slot_reads_as_much_of_a_value_as_the_kit_keeps() -> None:
    assert RESULT_BYTES == VALUE_BYTES
