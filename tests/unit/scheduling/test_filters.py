"""Which members may take Runs of a shape, why others may not, and which of several is best."""

from __future__ import annotations

from typing import Any

import pytest

from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.filters import FILTERS, may_take, stopped_by
from kruntimes_core.scheduling.scores import freeness
from kruntimes_core.scheduling.shapes import Group, shape_of
from tests.builders import make_member, make_run

PASSES = "passes"
ROWS = [passes.__name__ for passes, _ in FILTERS] + [PASSES]


def account(taken: dict[str, int] | None = None, lost: bool = False, **member: Any) -> Account:
    """A member of which so much is taken."""
    made = Account(("default", "a", "uid-a"), seen=0.0, lease_seconds=15.0)
    made.show(make_member("a", **member), 0.0)
    made.charge("other", taken or {})
    made.lost = lost
    return made


def group(excluded: tuple[str, ...] = (), lapsed: bool = False, **needs: int) -> Group:
    """The group of Runs that need a slot and this."""
    shape = shape_of(make_run(needs=needs, excluded=excluded), lapsed)
    return Group(shape, dict(shape.requests))


@pytest.mark.parametrize(
    ("wants", "at", "row"),
    [
        (group(), account(), PASSES),
        (group(), account(accept_state=AcceptState.SATURATED), PASSES),
        (group(), account(accept_state=AcceptState.DRAINING), "ready"),
        (group(), account(accept_state=AcceptState.NOT_READY), "ready"),
        (group(), account(instance=""), "ready"),
        (group(), account(lost=True), "ready"),
        (group(excluded=("a",)), account(), "not_excluded"),
        (group(excluded=("b",)), account(), PASSES),
        (group(excluded=("a",), lapsed=True), account(), PASSES),
        (group(runs=2), account(), "large_enough"),
        (group(cpu=1), account(), "large_enough"),
        (group(cpu=0), account(), PASSES),
        (group(), account(taken={"runs": 1}), "has_room"),
        (group(), account(taken={"runs": 1}, runs=2), PASSES),
        (group(cpu=500), account(taken={"cpu": 600}, capacity={"runs": 9, "cpu": 1000}), "has_room"),
        # the first row that stops is the one that counts
        (group(excluded=("a",), runs=2), account(instance=""), "ready"),
        (group(excluded=("a",), runs=2), account(), "not_excluded"),
    ],
)
def test_filters(wants: Group, at: Account, row: str) -> None:
    assert ROWS[stopped_by(wants, at)] == row
    assert may_take(wants, at) is (row == PASSES)


def test_a_member_without_a_lease_is_not_ready() -> None:
    made = account()
    made.show(None, 0.0)
    assert ROWS[stopped_by(group(), made)] == "ready"


def test_every_filter_has_a_reason_that_a_waiting_run_can_be_told() -> None:
    assert {reason for _, reason in FILTERS} == {
        Reason.NO_READY_MEMBER,
        Reason.NEVER_FITS,
        Reason.NO_ROOM,
    }


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (make_run("one"), make_run("two"), True),
        (make_run(needs={"cpu": 1, "memory": 2}), make_run(needs={"memory": 2, "cpu": 1}), True),
        (make_run(priority=1), make_run(), True),
        (make_run(needs={"cpu": 1}), make_run(), False),
        (make_run(excluded=("a",)), make_run(), False),
    ],
    ids=["names", "order of resources", "priority", "requests", "exclusions"],
)
def test_runs_that_fit_the_same_members_are_of_one_shape(left: Any, right: Any, same: bool) -> None:
    assert (shape_of(left) == shape_of(right)) is same


@pytest.mark.parametrize(
    ("free", "capacity", "score"),
    [
        ({"runs": 4}, {"runs": 4}, 1.0),
        ({"runs": 1}, {"runs": 4}, 0.25),
        ({"runs": 0}, {"runs": 4}, 0.0),
        ({"runs": 4, "cpu": 100}, {"runs": 4, "cpu": 1000}, 0.1),
        ({"runs": 2, "cpu": 0}, {"runs": 4, "cpu": 0}, 0.5),
        ({}, {}, 1.0),
    ],
    ids=[
        "empty",
        "a quarter left",
        "full",
        "the scarcest counts",
        "what there is none of does not",
        "nothing",
    ],
)
def test_freeness(free: dict[str, int], capacity: dict[str, int], score: float) -> None:
    assert freeness(free, capacity) == score


def test_what_is_charged_is_given_back_once() -> None:
    made = account(runs=4)
    made.charge("u", {"runs": 3, "example.com/gpu": 1})
    assert (made.free, made.freeness) == ({"runs": 1, "example.com/gpu": -1}, 0.25)
    assert made.release("u") is True
    assert made.release("u") is False
    assert (made.free["runs"], made.free["example.com/gpu"], made.freeness) == (4, 0, 1.0)


def test_a_member_that_shrinks_below_what_is_taken_has_less_than_nothing_free() -> None:
    made = account(runs=4)
    made.charge("u", {"runs": 3})
    made.show(make_member("a", runs=1), 0.0)
    assert made.free == {"runs": -2}
    assert not may_take(group(), made)


def test_a_group_keeps_its_runs_in_order_and_lets_them_move_and_leave() -> None:
    made = group()
    for uid, priority in [("a", 0), ("b", 0), ("c", -9), ("d", 5)]:
        made.add(uid, (priority, 0.0, ord(uid)))
    made.add("d", (-20, 0.0, ord("d")))
    order = []
    while (first := made.first()) is not None:
        order.append(first[1])
        made.discard(first[1])
    assert order == ["d", "c", "a", "b"]
    assert len(made) == 0
