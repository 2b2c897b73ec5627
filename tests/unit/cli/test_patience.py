"""Whoever waits for a Run that is held up is told what for, once for each reason."""

from collections.abc import Sequence

import pytest
from kruntimes import Run, WaitTimeout

from kruntimes_core.cli.patience import held_up, wait_telling


def seen(phase: str = "Pending", reason: str = "", message: str = "") -> Run:
    return Run("r", "default", "u", "bash", phase, 0, "", reason, message, None, None, {})


NO_RUNTIME = seen(reason="NoSuchRuntime", message="There is no Runtime x")


class Slow:
    """A Run that shows each of these when it is looked at, and then ends."""

    name = "r"

    def __init__(self, looks: Sequence[Run]) -> None:
        self.looks = list(looks)

    def wait(self, timeout: float | None = None) -> Run:
        if self.looks:
            raise WaitTimeout("not yet")
        return seen("Succeeded")

    def status(self) -> Run:
        return self.looks.pop(0)


TOLD = {
    "one that runs": ([seen("Running")], 0),
    "the same reason twice": ([NO_RUNTIME, NO_RUNTIME], 1),
    "another reason": ([NO_RUNTIME, seen(reason="NoRoom", message="full")], 2),
    "one that ends at once": ([], 0),
}


@pytest.mark.parametrize(("looks", "times"), TOLD.values(), ids=TOLD)
def test_each_reason_is_told_once(looks: list[Run], times: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert wait_telling(Slow(looks)).phase == "Succeeded"
    assert capsys.readouterr().err.count("krt why r") == times


def test_the_reason_is_the_runs_own() -> None:
    assert held_up(NO_RUNTIME) == "Run r waits (NoSuchRuntime): There is no Runtime x"
    assert "scheduler" in held_up(seen())
    assert held_up(seen("Scheduled")) == ""
