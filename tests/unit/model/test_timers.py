"""Which key is due when; and moments and versions, which order everything else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kruntimes_core.model.identity import is_newer
from kruntimes_core.model.timers import Timers
from tests.builders import EPOCH, at

OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "clear", "pop"]), st.integers(0, 4), st.integers(0, 20)), max_size=300
)


def timers(**times: float) -> Timers[str]:
    made: Timers[str] = Timers()
    for key, when in times.items():
        made.set(key, when)
    return made


def test_the_earliest_comes_first_and_comes_once() -> None:
    made = timers(late=9.0, early=1.0, middle=5.0)
    assert made.next() == 1.0
    assert list(made.pop_due(5.0)) == [("early", 1.0), ("middle", 5.0)]
    assert list(made.pop_due(5.0)) == []
    assert made.next() == 9.0


def test_without_keys_there_is_no_time() -> None:
    assert timers().next() is None
    assert list(timers().pop_due(1e9)) == []


@pytest.mark.parametrize("when", [1.0, 9.0])
def test_a_key_has_only_the_time_set_last(when: float) -> None:
    made = timers(key=5.0)
    made.set("key", when)
    assert list(made.pop_due(100.0)) == [("key", when)]


def test_a_cleared_key_is_not_due_and_may_be_set_again() -> None:
    made = timers(key=5.0)
    made.clear("key")
    made.clear("stranger")
    assert "key" not in made
    assert made.next() is None
    made.set("key", 5.0)
    assert "key" in made
    assert list(made.pop_due(5.0)) == [("key", 5.0)]


def test_keys_that_are_due_at_the_same_time_come_in_the_order_they_were_set() -> None:
    assert [key for key, _ in timers(b=1.0, c=1.0, a=1.0).pop_due(1.0)] == ["b", "c", "a"]


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(OPERATIONS)
def test_timers_are_a_table_of_times(operations: list[tuple[str, int, int]]) -> None:
    made: Timers[int] = Timers()
    table: dict[int, float] = {}
    for operation, key, when in operations:
        if operation == "set":
            made.set(key, when)
            table[key] = when
        elif operation == "clear":
            made.clear(key)
            table.pop(key, None)
        else:
            popped = list(made.pop_due(when))
            assert dict(popped) == {each: due for each, due in table.items() if due <= when}
            assert all(first <= second for (_, first), (_, second) in pairwise(popped))
            table = {each: due for each, due in table.items() if due > when}
        assert made.next() == min(table.values(), default=None)
        assert {each for each in range(5) if each in made} == set(table)


def test_a_moment_later_is_later_by_both_clocks() -> None:
    later = at(2.0).after(1.5)
    assert ((later.wall - EPOCH).total_seconds(), later.monotonic) == (3.5, 3.5)


@pytest.mark.parametrize(
    ("version", "than", "answer"), [("2", "1", True), ("1", "1", False), ("9", "10", False)]
)
def test_versions_compare_as_numbers(version: str, than: str, answer: bool) -> None:
    assert is_newer(version, than=than) is answer


def test_a_version_that_is_no_number_is_an_error_and_not_an_order() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        is_newer("abc", than="1")
