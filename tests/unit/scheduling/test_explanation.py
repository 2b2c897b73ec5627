"""`krt why` and `krt top` read the scheduler's own books: they say what it would do, for each member."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState, Member, Runtime
from kruntimes_core.scheduling.actions import Assign
from kruntimes_core.scheduling.books import open_books
from kruntimes_core.scheduling.explanation import FILTER_NAMES, Explanation, Place, explain
from kruntimes_core.scheduling.schedule import schedule
from kruntimes_core.scheduling.snapshot import Snapshot
from kruntimes_core.scheduling.usage import usage
from tests.builders import at, make_member, make_run, make_runtime

NOW = at(2.0)


def snapshot(*objects: Run | Member | Runtime) -> Snapshot:
    return Snapshot(
        tuple(found for found in objects if isinstance(found, Run)),
        tuple(found for found in objects if isinstance(found, Member)),
        tuple(found for found in objects if isinstance(found, Runtime)),
    )


def explained(name: str, *objects: Run | Member, now: float = 2.0) -> Explanation:
    moment = at(now)
    return explain(open_books(snapshot(make_runtime(), *objects), moment), f"uid-{name}", moment)


REASONS: dict[str, tuple[list[Run | Member], Reason | None]] = {
    "a free member": ([make_member()], None),
    "no member": ([], Reason.NO_READY_MEMBER),
    "a member that drains": ([make_member(accept_state=AcceptState.DRAINING)], Reason.NO_READY_MEMBER),
    "a full member": ([make_member(), make_run("other", on="a")], Reason.NO_ROOM),
    "one too small, one full": (
        [make_member(), make_run("o", on="a"), make_member("b", runs=0)],
        Reason.NO_ROOM,
    ),
    "one too small": ([make_member(runs=0)], Reason.NEVER_FITS),
}


@pytest.mark.parametrize(("others", "want"), REASONS.values(), ids=REASONS)
def test_a_run_waits_for_the_furthest_reason(others: list[Run | Member], want: Reason | None) -> None:
    assert explained("r", make_run(), *others).reason is want


def test_without_its_runtime_nothing_else_counts() -> None:
    moment = at(2.0)
    found = explain(open_books(snapshot(make_run(), make_member()), moment), "uid-r", moment)
    assert (found.reason, found.runtime_exists) == (Reason.NO_SUCH_RUNTIME, False)


def test_each_member_has_a_verdict_of_each_filter() -> None:
    full, other = make_member("full"), make_member("other", accept_state=AcceptState.NOT_READY)
    verdicts = explained("r", make_run(), full, other, make_run("o", on="full")).verdicts
    assert [dict(zip(FILTER_NAMES, verdict.passes, strict=True)) for verdict in verdicts] == [
        {"ready": True, "not_excluded": True, "large_enough": True, "has_room": False},
        {"ready": False, "not_excluded": True, "large_enough": True, "has_room": True},
    ]
    assert [verdict.free["runs"] for verdict in verdicts] == [0, 1]


def test_a_member_whose_lease_ran_out_is_lost() -> None:
    (verdict,) = explained("r", make_run(), make_member(), now=16.0).verdicts
    assert (verdict.lost, verdict.passes[0], verdict.silent) == (True, False, 16.0)


def test_the_place_goes_by_priority_and_then_by_age() -> None:
    old, young = make_run("old", created=at(0).wall), make_run("young", created=at(1).wall)
    urgent = make_run("urgent", priority=1, created=at(1).wall)
    places = [explained(name, old, young, urgent).place for name in ("old", "young", "urgent")]
    assert places == [Place(2, 3, 1), Place(3, 3, 1), Place(1, 3, 0)]


def test_a_run_that_backs_off_has_no_place_until_it_is_over() -> None:
    backing_off = make_run(not_before=at(4).wall, queued=at(1).wall, attempt=2, losses=2)
    assert explained("r", backing_off).backoff == pytest.approx(2.0)
    assert explained("r", backing_off).place is None
    assert explained("r", backing_off, now=5.0).place == Place(1, 1, 0)


def test_an_exclusion_lapses_as_it_does_for_the_scheduler() -> None:
    refused = make_run(excluded=("a",), queued=at(1).wall)
    member = make_member(renewed=at(60).wall)
    assert explained("r", refused, member, now=60.0).reason is Reason.NEVER_FITS
    assert explained("r", refused, member, now=62.0).reason is None


def test_a_queue_timeout_counts_from_the_beginning_of_the_wait() -> None:
    assert explained("r", make_run(queue_timeout=10.0, queued=at(1).wall)).time_left == pytest.approx(9.0)


WAITING = st.builds(
    lambda number, cpu, priority: make_run(f"w{number}", needs={"cpu": cpu}, priority=priority),
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(0, 1),
)
MEMBERS = st.builds(
    lambda number, runs, cpu, state: make_member(
        f"m{number}", capacity={"runs": runs, "cpu": cpu}, accept_state=state
    ),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(AcceptState),
)


@given(
    st.lists(WAITING, min_size=1, max_size=4, unique_by=lambda run: run.name),
    st.lists(MEMBERS, max_size=3, unique_by=lambda member: member.name),
)
def test_who_is_said_to_go_first_with_room_is_assigned(runs: list[Run], members: list[Member]) -> None:
    """The explanation and the decision come from the same rules, so they may never contradict."""
    seen = snapshot(make_runtime(), *runs, *members)
    assigned = {action.run.uid for action in schedule(seen, NOW) if isinstance(action, Assign)}
    for run in runs:
        found: Any = explain(open_books(seen, NOW), run.uid, NOW)
        fits = any(verdict.fits for verdict in found.verdicts)
        assert fits is (found.reason is None)
        if run.uid in assigned:
            assert fits
        if fits and found.place.number == 1:
            assert run.uid in assigned


def test_what_is_held_is_added_up() -> None:
    capacity = {"runs": 4, "cpu": 2000}
    objects: list[Run | Member] = [
        make_member("a", capacity=capacity),
        make_member("b", capacity=capacity, accept_state=AcceptState.DRAINING),
        make_run("one", on="a", needs={"cpu": 500}),
        make_run("two", on="b"),
        make_run("waits", needs={"cpu": 9000}),
    ]
    (found,) = usage(open_books(snapshot(make_runtime(), *objects), NOW))
    assert (found.ready, found.waiting, found.capacity) == (1, 1, capacity)
    assert found.used == {"runs": 1, "cpu": 500}
    assert [(m.name, m.state, m.used["runs"], m.runs) for m in found.members] == [
        ("a", "Accepting", 1, ("one",)),
        ("b", "Draining", 1, ("two",)),
    ]
