"""What `krt dev up` is told is checked before anything is started."""

import argparse

import pytest

from kruntimes_core.cli.dev import between, languages


@pytest.mark.parametrize("text", ["-1", "65536", "1.5", "", "many", "²"])
def test_a_number_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 0 to 65535"):
        between(0, 65535)(text)


def test_both_bounds_are_within() -> None:
    assert [between(1, 9)(text) for text in ("1", "9")] == [1, 9]


def test_the_names_of_runtimes_are_read() -> None:
    assert languages("python, bash") == ("python", "bash")


@pytest.mark.parametrize("text", ["", "bash,", "cobol", "bash;python"])
def test_a_runtime_that_there_is_not_is_refused_by_name(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="choose of bash, python"):
        languages(text)
