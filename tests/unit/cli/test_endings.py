"""The exit code of krt run is what a shell would expect of the Run's end."""

import pytest
from kruntimes import Output, Result, Timings

from kruntimes_core.cli.endings import exit_code, is_worth_a_word


def result(phase: str, code: int | None = None, signal: int | None = None, reason: str = "") -> Result:
    return Result("r", phase, code, signal, Output(), Output(), {}, Timings(), 1, reason, "")


CASES = {
    "a failed Run is no success, whatever its program said": (
        result("Failed", 0, reason="OutputsInvalid"),
        125,
        True,
    ),
    "well": (result("Succeeded", 0), 0, False),
    "with a code": (result("Failed", 7, reason="NonZeroExit"), 7, False),
    "with an exception that the program has shown": (
        result("Failed", 1, reason="UncaughtException"),
        1,
        False,
    ),
    "by a signal": (result("Failed", signal=9, reason="KilledBySignal"), 137, True),
    "late": (result("Timeout", signal=15, reason="TimeLimit"), 124, True),
    "cancelled": (result("Cancelled", reason="Cancelled"), 130, True),
    "without its program": (result("Failed", reason="MissingProgram"), 127, True),
    "lost": (result("Failed", reason="MemberLost"), 125, True),
}


@pytest.mark.parametrize(("end", "code", "worth"), CASES.values(), ids=CASES)
def test_an_end(end: Result, code: int, worth: bool) -> None:
    assert exit_code(end) == code
    assert is_worth_a_word(end) is worth
