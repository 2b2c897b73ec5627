"""What Runs that wait are told, what wakes them, in which order they go, and when they give up."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Held, Succeeded, TimedOut
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.scheduling.actions import Assign, Hold
from kruntimes_core.scheduling.settings import Settings
from tests.builders import at, make_member, make_run, make_runtime
from tests.unit.scheduling.stage import Stage, told

DONE = Succeeded(Ending(exit_code=0))


# Reasons.

WAITS: list[tuple[str, Run, list[Member], Reason, str]] = [
    ("no Runtime", make_run(runtime="nope"), [], Reason.NO_SUCH_RUNTIME, "There is no Runtime nope"),
    ("no member", make_run(), [], Reason.NO_READY_MEMBER, "No member of Runtime bash is ready"),
    (
        "a draining member",
        make_run(),
        [make_member(accept_state=AcceptState.DRAINING)],
        Reason.NO_READY_MEMBER,
        "No member of Runtime bash is ready",
    ),
    (
        "too large",
        make_run(needs={"cpu": 9}),
        [make_member()],
        Reason.NEVER_FITS,
        "large enough for cpu=9, runs=1",
    ),
    ("excluded", make_run(excluded=("a",)), [make_member("a")], Reason.NEVER_FITS, "that may take it"),
    (
        "full here, too small there",
        make_run(needs={"cpu": 9}),
        [make_member("a", capacity={"runs": 0, "cpu": 9}), make_member("b", capacity={"runs": 1, "cpu": 8})],
        Reason.NEVER_FITS,
        "large enough",
    ),
]


@pytest.mark.parametrize(
    ("run", "members", "reason", "words"), [case[1:] for case in WAITS], ids=[case[0] for case in WAITS]
)
def test_a_run_that_waits_is_told_why_after_a_second(
    run: Run, members: list[Member], reason: Reason, words: str
) -> None:
    stage = Stage(run, *members)
    stage.alive |= {member.name for member in members}
    assert stage.elapse(0.9) == []
    [(_, hold)] = stage.elapse(0.2)
    assert told([hold]) == ["Hold r"]
    assert isinstance(hold.event, Held)
    assert hold.event.reason == reason
    assert words in hold.event.message


def full(**changes: Any) -> Stage:
    """Run r waits for the one slot that Run there has."""
    stage = Stage(make_member("a"), make_run("there", on="a", delivered=at(0).wall), make_run(**changes))
    stage.alive.add("a")
    return stage


def test_a_run_for_which_there_is_no_room_is_told_so_and_told_once() -> None:
    stage = full()
    assert [(round(when, 6), *told([hold])) for when, hold in stage.elapse(120)] == [(1.0, "Hold r")]
    assert stage.runs["r"].reason == Reason.NO_ROOM


def test_a_run_that_waits_for_less_than_a_second_is_told_nothing() -> None:
    stage = full()
    stage.elapse(0.9)
    stage.happens("there", DONE)
    assert told([action for _, action in stage.elapse(20)]) == ["Assign r"]
    assert stage.runs["r"].reason == ""


def test_a_reason_that_changes_is_told_anew() -> None:
    stage = full()
    stage.elapse(5)
    stage.offers("a", accept_state=AcceptState.DRAINING)
    assert [hold.event.reason for _, hold in stage.elapse(11) if isinstance(hold, Hold)] == [
        Reason.NO_READY_MEMBER
    ]
    stage.offers("a", accept_state=AcceptState.ACCEPTING)
    assert [hold.event.reason for _, hold in stage.elapse(11) if isinstance(hold, Hold)] == [Reason.NO_ROOM]


def test_many_reasons_are_told_at_a_measured_pace_and_all_are_told() -> None:
    runs = [make_run(f"r{number}") for number in range(100)]
    stage = Stage(*runs, settings=Settings(hold_interval=0.02))
    whens = [when for when, action in stage.elapse(20) if isinstance(action, Hold)]
    assert len(whens) == 100
    assert all(later - sooner >= 0.02 - 1e-6 for sooner, later in pairwise(whens[9:]))
    assert {run.reason for run in stage.runs.values()} == {Reason.NO_READY_MEMBER}


# Waking.


def more_room(stage: Stage) -> None:
    stage.offers("a", capacity={"runs": 2})


def room_given_back(stage: Stage) -> None:
    stage.happens("there", DONE)


def holder_deleted(stage: Stage) -> None:
    stage.goes("there")


def new_member(stage: Stage) -> None:
    stage.show(make_member("b"))


@pytest.mark.parametrize("event", [more_room, room_given_back, holder_deleted, new_member])
def test_a_parked_run_goes_as_soon_as_there_is_room(event: Any) -> None:
    stage = full()
    stage.elapse(30)
    assert stage.decide() == []
    event(stage)
    assert told(stage.decide()) == ["Assign r"]


@pytest.mark.parametrize("waits", [0.0, 3.0, 100.0])
def test_a_run_goes_as_soon_as_its_runtime_is_there(waits: float) -> None:
    stage = Stage(make_run(runtime="late"), make_member("a", runtime="late"))
    stage.alive.add("a")
    stage.elapse(waits)
    stage.show(make_runtime("late"))
    assert told(stage.decide()) == ["Assign r"]


def test_a_member_that_becomes_ready_wakes_who_waits() -> None:
    stage = Stage(make_run(), make_member("a", instance="", accept_state=AcceptState.NOT_READY))
    stage.elapse(3)
    stage.offers("a", instance="instance-a", accept_state=AcceptState.ACCEPTING)
    assert told(stage.decide()) == ["Assign r"]


def test_a_runtime_that_is_gone_gets_nothing_more() -> None:
    stage = Stage(make_member("a", runs=2))
    stage.board.runtime_gone("default", "bash", stage.now)
    stage.show(make_run())
    assert stage.decide() == []
    assert [action.event.reason for _, action in stage.elapse(2) if isinstance(action, Hold)] == [
        Reason.NO_SUCH_RUNTIME
    ]


def test_a_renewal_wakes_nobody() -> None:
    stage = full()
    stage.elapse(3)
    wake = stage.board.wake_at()
    stage.offers("a")
    assert wake is not None
    assert wake > stage.now.monotonic
    assert stage.board.wake_at() == wake


def test_of_many_that_wait_as_many_go_as_there_is_room_for() -> None:
    stage = Stage(make_member("a"), *(make_run(f"r{number}") for number in range(9)))
    stage.alive.add("a")
    stage.elapse(3)
    stage.offers("a", capacity={"runs": 4})
    assert told(stage.settle()) == ["Assign r1", "Assign r2", "Assign r3"]


def test_many_shapes_that_wait_are_all_looked_at_in_batches() -> None:
    runs = [make_run(f"r{number}", needs={"cpu": number}) for number in range(1, 41)]
    stage = Stage(*runs, settings=Settings(wake_batch=4))
    stage.elapse(0.5)
    stage.show(make_member("a", capacity={"runs": 99, "cpu": 10_000}))
    assert len(stage.settle()) == 40


def test_a_run_nobody_can_hold_keeps_nobody_else_waiting() -> None:
    stage = Stage(make_member("a"), make_run("huge", needs={"cpu": 9}, priority=9))
    stage.elapse(5)
    stage.show(make_run("small"))
    assert told(stage.decide()) == ["Assign small"]


# Order.


def test_those_who_wait_go_by_priority_and_then_by_age() -> None:
    runs = [
        make_run("young", created=at(1).wall),
        make_run("low", priority=-5),
        make_run("urgent", created=at(1).wall, priority=5),
        make_run("old"),
    ]
    stage = Stage(make_member("a"), make_run("there", on="a"), *runs)
    stage.elapse(0.5)
    order: list[str] = []
    last = "there"
    while len(order) < 4:
        stage.happens(last, DONE)
        [action] = stage.settle()
        assert isinstance(action, Assign)
        last = action.run.name
        order.append(last)
    assert order == ["urgent", "old", "young", "low"]


def test_a_run_that_becomes_more_important_while_it_waits_goes_first() -> None:
    stage = full()
    stage.show(make_run("later"))
    stage.elapse(0.5)
    stage.change("later", priority=1)
    stage.happens("there", DONE)
    assert told(stage.settle()) == ["Assign later"]


def test_who_stood_behind_a_more_important_run_does_not_inherit_its_turn() -> None:
    first, second = make_run("first", priority=5), make_run("second")
    stage = Stage(make_member("a", capacity={"runs": 1, "cpu": 1}), first, second)
    stage.show(make_run("other", needs={"cpu": 1}, priority=1))
    stage.goes("first")
    assert told(stage.decide()) == ["Assign other"]


# Backing off and exclusion.


def test_a_run_that_backs_off_goes_when_its_pause_is_over() -> None:
    stage = Stage(make_member("a"), make_run(attempt=2, losses=1, not_before=at(5).wall))
    stage.alive.add("a")
    [(when, action)] = [each for each in stage.elapse(30) if isinstance(each[1], Assign)]
    assert (when, told([action])) == (4.0, ["Assign r"])


def test_a_pause_written_by_a_clock_far_ahead_is_cut_to_what_can_have_been_meant() -> None:
    stage = Stage(make_member("a"), make_run(attempt=2, losses=1, not_before=at(86400).wall))
    stage.alive.add("a")
    assert [when for when, each in stage.elapse(30) if isinstance(each, Assign)] == [4.0]


def test_an_exclusion_lapses_for_a_run_that_nobody_else_takes() -> None:
    stage = Stage(make_member("a"), make_run(excluded=("a",)))
    stage.alive.add("a")
    assert [when for when, each in stage.elapse(90) if isinstance(each, Assign)] == [60.0]


# Giving up.


@pytest.mark.parametrize("queue_timeout", [0.4, 3.0, 500.0])
def test_a_run_gives_up_when_it_waited_as_long_as_it_said(queue_timeout: float) -> None:
    stage = Stage(make_run(queue_timeout=queue_timeout))
    ends = [(when, action) for when, action in stage.elapse(600) if not isinstance(action, Hold)]
    [(when, action)] = ends
    assert when == pytest.approx(queue_timeout)
    assert isinstance(action.event, TimedOut)
    assert action.event.ending.reason == Reason.QUEUE_TIME_LIMIT
    assert f"queueTimeout of {queue_timeout:g} s" in action.event.ending.message
    assert stage.runs["r"].phase is Phase.TIMEOUT


def test_who_gives_up_says_what_it_last_waited_for() -> None:
    stage = full(queue_timeout=3.0)
    [end] = [action for _, action in stage.elapse(5) if not isinstance(action, Hold)]
    assert isinstance(end.event, TimedOut)
    assert end.event.ending.message.endswith("it last waited for NoRoom")


def test_the_time_in_the_queue_counts_from_what_was_written_whoever_schedules() -> None:
    run = make_run(attempt=2, queued=at(-7).wall, queue_timeout=10.0)
    assert [when for when, action in Stage(run).elapse(30) if not isinstance(action, Hold)] == [2.0]


def test_a_run_that_was_assigned_in_time_does_not_give_up() -> None:
    stage = full(queue_timeout=3.0)
    stage.elapse(2)
    stage.happens("there", DONE)
    stage.settle()
    stage.elapse(20)
    assert stage.runs["r"].phase is Phase.SCHEDULED


def test_being_told_a_reason_does_not_begin_the_wait_anew() -> None:
    stage = Stage(make_run(queue_timeout=5.0))
    stage.elapse(2)
    assert stage.runs["r"].reason
    stage.show(replace(stage.runs["r"], priority=3))
    assert [when for when, action in stage.elapse(9) if not isinstance(action, Hold)] == [3.0]


def test_nobody_who_waits_is_without_a_timer() -> None:
    stage = full()
    stage.show(make_run("nowhere", runtime="nope"), make_run("huge", needs={"cpu": 9}))
    for _ in range(40):
        assert stage.board.stranded() == []
        stage.elapse(1)
