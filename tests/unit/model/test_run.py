"""What may happen to a Run in each phase, and what is written of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import (
    Assigned,
    Cancelled,
    Delivered,
    Event,
    Failed,
    HandedBack,
    Held,
    Requeued,
    Started,
    Succeeded,
    TimedOut,
)
from kruntimes_core.model.identity import Assignment, RunKey, RunRef
from kruntimes_core.model.run import TERMINAL, TRANSITIONS, Phase, Run, TransitionRefused, apply
from tests.builders import at, make_run

MEMBER = Assignment("a", "uid-a", "instance-a")
ENDING = Ending("NonZeroExit", "It ended with 1", exit_code=1)
EVENTS: dict[str, Event] = {
    "Held": Held("NoRoom", "No room now"),
    "Assigned": Assigned(MEMBER, at(5).wall, queued=at(2).wall),
    "Delivered": Delivered(at(6).wall),
    "Started": Started(at(7).wall, delivered=at(6).wall),
    "HandedBack": HandedBack("ServerFull", "It was full", at(6).wall, at(8).wall, excluded=("a",)),
    "Requeued": Requeued(2, 1, "MemberLost", "a was lost", at(9).wall, at(10).wall, excluded=("a",)),
    "Succeeded": Succeeded(Ending(exit_code=0)),
    "Failed": Failed(ENDING),
    "TimedOut": TimedOut(Ending("TimeLimit", "Too slow")),
    "Cancelled": Cancelled(Ending("Cancelled", "Nobody wants it")),
}
# A dot: refused. Rows are phases, columns what happens there, cells the phase after it.
TABLE = """
          Held    Assigned  Delivered Started HandedBack Requeued Succeeded Failed TimedOut Cancelled
Pending   Pending Scheduled .         .       .          .        .         Failed Timeout  Cancelled
Scheduled .       .         Scheduled Running Pending    Pending  Succeeded Failed Timeout  Cancelled
Running   .       .         .         .       .          Pending  Succeeded Failed Timeout  Cancelled
Succeeded .       .         .         .       .          .        .         .      .        .
Failed    .       .         .         .       .          .        .         .      .        .
Timeout   .       .         .         .       .          .        .         .      .        .
Cancelled .       .         .         .       .          .        .         .      .        .
"""
HEADER, *ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS = [(Phase(row[0]), name, after) for row in ROWS for name, after in zip(HEADER, row[1:], strict=True)]


def in_phase(phase: Phase) -> Run:
    """A Run that got into this phase in the ordinary way."""
    waits = phase is Phase.PENDING
    return replace(make_run() if waits else make_run(on="a"), phase=phase)


@pytest.mark.parametrize(("phase", "name", "after"), CELLS)
def test_the_table_of_phases(phase: Phase, name: str, after: str) -> None:
    run, event = in_phase(phase), EVENTS[name]
    if after == ".":
        with pytest.raises(TransitionRefused, match=rf"default/r is {phase}: {name} cannot follow"):
            apply(run, event)
    else:
        assert apply(run, event).phase == after


def test_the_table_knows_every_phase_and_every_event() -> None:
    assert set(TRANSITIONS) == set(Phase) == {phase for phase, _, _ in CELLS}
    known = {event.__name__ for row in TRANSITIONS.values() for event in row}
    assert known == set(EVENTS) == set(HEADER)


def test_terminal_phases_are_those_that_nothing_follows() -> None:
    assert {Phase.SUCCEEDED, Phase.FAILED, Phase.TIMEOUT, Phase.CANCELLED} == TERMINAL
    assert [in_phase(phase).is_terminal for phase in Phase] == [False] * 3 + [True] * 4


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_only_a_store_gives_versions(name: str) -> None:
    phase = Phase.PENDING if name in ("Held", "Assigned") else Phase.SCHEDULED
    run = replace(in_phase(phase), version="41")
    after = apply(run, EVENTS[name])
    assert after.version == "41"
    assert run == replace(in_phase(phase), version="41")


def test_a_held_run_says_why_and_is_otherwise_the_same() -> None:
    run = make_run(not_before=at(3).wall)
    assert apply(run, EVENTS["Held"]) == replace(run, reason="NoRoom", message="No room now")


def test_an_assigned_run_has_its_place_and_no_reason_to_wait() -> None:
    run = make_run(reason="NoRoom", message="No room now", not_before=at(3).wall)
    after = apply(run, EVENTS["Assigned"])
    assert (after.assignment, after.assigned, after.queued) == (MEMBER, at(5).wall, at(2).wall)
    assert (after.reason, after.message, after.not_before) == ("", "", None)


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 1), (3, 3)])
def test_the_first_assignment_begins_the_first_attempt_and_no_other_one(before: int, after: int) -> None:
    assert apply(make_run(attempt=before), EVENTS["Assigned"]).attempt == after


def test_the_wait_that_was_written_first_stays() -> None:
    assert apply(make_run(queued=at(1).wall), EVENTS["Assigned"]).queued == at(1).wall
    assert apply(make_run(on="a", queued=at(1).wall), EVENTS["HandedBack"]).queued == at(1).wall
    assert apply(make_run(on="a"), EVENTS["HandedBack"]).queued == at(6).wall


def test_a_delivered_run_is_still_scheduled_and_says_since_when() -> None:
    run = make_run(on="a")
    assert apply(run, EVENTS["Delivered"]) == replace(run, delivered=at(6).wall)


def test_a_started_run_keeps_when_it_was_delivered() -> None:
    run = make_run(on="a", delivered=at(4).wall)
    assert apply(run, Started(at(7).wall)).delivered == at(4).wall
    assert apply(make_run(on="a"), EVENTS["Started"]).delivered == at(6).wall


@pytest.mark.parametrize("name", ["HandedBack", "Requeued"])
def test_a_run_that_waits_again_has_no_place(name: str) -> None:
    run = make_run(on="a", delivered=at(6).wall, started=at(7).wall)
    after = apply(run, EVENTS[name])
    assert (after.assignment, after.assigned, after.delivered, after.started) == (None, None, None, None)
    assert after.excluded == ("a",)
    assert after.reason


def test_a_run_handed_back_tries_the_same_attempt_again() -> None:
    after = apply(make_run(on="a"), EVENTS["HandedBack"])
    assert (after.attempt, after.losses, after.not_before) == (1, 0, at(8).wall)


def test_a_requeued_run_waits_for_its_next_attempt_from_now_on() -> None:
    after = apply(make_run(on="a", queued=at(1).wall), EVENTS["Requeued"])
    assert (after.attempt, after.losses) == (2, 1)
    assert (after.queued, after.not_before) == (at(9).wall, at(10).wall)


def test_a_run_that_ended_keeps_its_place_and_says_how() -> None:
    after = apply(make_run(on="a"), EVENTS["Failed"])
    assert (after.reason, after.message, after.assignment) == ("NonZeroExit", "It ended with 1", MEMBER)


def test_a_run_is_named_by_its_uid_and_a_try_by_its_attempt_too() -> None:
    run = make_run("one", attempt=2)
    assert run.ref == RunRef("default", "one", "uid-one")
    assert run.key == RunKey("uid-one", 2)


@pytest.mark.parametrize(
    ("cancel_requested", "deleting", "unwanted"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_a_run_is_unwanted_when_cancelled_or_deleted(
    cancel_requested: bool, deleting: bool, unwanted: bool
) -> None:
    assert make_run(cancel_requested=cancel_requested, deleting=deleting).is_unwanted is unwanted
