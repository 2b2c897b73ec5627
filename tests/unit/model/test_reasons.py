"""The closed set of reasons, and the words of servers that become one of it."""

from __future__ import annotations

import pytest

from kruntimes_core.model.reasons import Reason, from_wire


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_written_like_its_word_on_the_wire_but_in_camel_case(reason: Reason) -> None:
    assert reason.value == "".join(part.capitalize() for part in reason.name.split("_"))


@pytest.mark.parametrize("reason", list(Reason))
def test_a_word_of_the_set_is_that_reason(reason: Reason) -> None:
    assert from_wire(reason.name, otherwise=Reason.SERVER_ERROR) is reason


@pytest.mark.parametrize("word", ["", "CUDA_ON_FIRE", "NonZeroExit", "non_zero_exit", "NON_ZERO_EXIT "])
def test_a_word_of_a_server_s_own_becomes_the_ordinary_one(word: str) -> None:
    assert from_wire(word, otherwise=Reason.SERVER_ERROR) is Reason.SERVER_ERROR
    assert from_wire(word, otherwise=Reason.FAILED) is Reason.FAILED


def test_no_two_reasons_are_written_the_same() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)
