"""What the board assumes of its own decisions, until they are answered and seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import HandedBack, Succeeded
from kruntimes_core.model.run import apply
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.settings import Settings
from tests.builders import make_member, make_run
from tests.unit.scheduling.stage import Stage, told


def decided(*others: str) -> tuple[Stage, Action]:
    """One member with one slot, which was just given to Run r; others wait."""
    stage = Stage(make_member("a"), make_run("r"), *(make_run(name) for name in others))
    [action] = stage.decide()
    assert told([action]) == ["Assign r"]
    return stage, action


def test_a_decision_is_assumed_before_it_is_answered() -> None:
    stage, _ = decided("s")
    assert stage.decide() == []
    assert (stage.board.in_flight, stage.board.waiting) == (1, 1)


def test_a_write_that_succeeded_is_not_repeated_while_it_is_not_seen() -> None:
    stage, action = decided("s")
    stage.board.written(action, "900", stage.now)
    assert stage.board.in_flight == 0
    assert [words for _, each in stage.elapse(9) if (words := told([each])) != ["Hold s"]] == []


def test_nothing_older_than_an_own_write_is_believed() -> None:
    stage, action = decided()
    stage.board.written(action, "900", stage.now)
    stage.board.run_changed(replace(stage.runs["r"], version="899"), stage.now)
    assert stage.decide() == []
    assert stage.board.known_version("uid-r") == int(stage.runs["r"].version)
    seen = replace(apply(action.run, action.event), version="900")
    stage.board.run_changed(seen, stage.now)
    assert stage.board.known_version("uid-r") == 900
    assert stage.decide() == []


def test_what_the_watch_shows_may_come_before_the_answer() -> None:
    stage, action = decided("s")
    stage.show(apply(action.run, action.event))
    stage.board.written(action, stage.runs["r"].version, stage.now)
    stage.happens("r", Succeeded(Ending()))
    assert told(stage.decide()) == ["Assign s"]


def test_an_own_write_that_is_not_seen_for_long_is_written_again() -> None:
    stage, action = decided()
    stage.board.written(action, "900", stage.now)
    stage.skip(9.9)
    assert stage.decide() == []
    stage.skip(0.1)
    assert stage.decide() == [action]


def test_after_a_conflict_it_waits_for_the_newer_version() -> None:
    stage, action = decided()
    stage.board.refused(action, stage.now)
    assert stage.decide() == []
    stage.change("r", priority=7)
    [again] = stage.decide()
    assert (told([again]), again.run.priority) == (["Assign r"], 7)


def test_a_conflict_because_the_run_was_cancelled_gives_its_room_to_the_next() -> None:
    stage, action = decided("s")
    stage.board.refused(action, stage.now)
    stage.change("r", cancel_requested=True)
    assert told(stage.settle()) == ["End r", "Assign s"]


def test_a_run_that_is_gone_gives_its_room_to_the_next() -> None:
    stage, action = decided("s")
    stage.board.refused(action, stage.now)
    stage.goes("r")
    assert told(stage.decide()) == ["Assign s"]
    assert stage.board.known_version("uid-r") is None


def test_a_run_that_is_gone_before_the_answer_is_no_trouble() -> None:
    stage, action = decided("s")
    stage.goes("r")
    stage.board.written(action, "900", stage.now)
    assert told(stage.decide()) == ["Assign s"]
    assert stage.board.in_flight == 1


def test_a_write_of_unknown_outcome_holds_its_room_and_is_repeated_ever_later() -> None:
    stage, action = decided("s")
    pauses = []
    for _ in range(6):
        stage.board.failed(action, stage.now)
        assert "Assign s" not in told(stage.decide())
        start = stage.now.monotonic
        while action not in stage.decide():
            wake = stage.board.wake_at()
            assert wake is not None
            stage.skip(max(wake - stage.now.monotonic, 0.0))
        pauses.append(stage.now.monotonic - start)
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 5.0, 5.0])


def test_a_write_of_unknown_outcome_that_turns_out_to_be_done_is_not_repeated() -> None:
    stage, action = decided()
    stage.board.failed(action, stage.now)
    stage.show(apply(action.run, action.event))
    stage.alive.add("a")
    assert stage.elapse(20) == []


def test_a_write_of_unknown_outcome_that_was_not_done_is_decided_anew_on_the_newer_run() -> None:
    stage, action = decided()
    stage.board.failed(action, stage.now)
    stage.change("r", priority=3)
    [again] = stage.decide()
    assert again is not action
    assert again.run.priority == 3


def test_a_late_answer_to_an_old_decision_changes_nothing() -> None:
    stage, old = decided()
    stage.change("r", priority=3)
    [new] = stage.decide()
    stage.board.failed(old, stage.now)
    assert stage.board.in_flight == 1
    stage.board.written(new, "900", stage.now)
    stage.skip(1)
    assert stage.decide() == []


def test_no_more_is_under_way_than_may_be_and_an_answer_makes_room() -> None:
    runs = [make_run(f"r{number}") for number in range(5)]
    stage = Stage(make_member("a", runs=9), *runs, settings=Settings(in_flight=2))
    first = stage.decide()
    assert told(first) == ["Assign r0", "Assign r1"]
    assert stage.decide() == []
    stage.land(first[0])
    assert told(stage.decide()) == ["Assign r2"]
    assert stage.board.in_flight == 2


def test_a_run_that_is_handed_back_waits_and_its_room_is_free() -> None:
    stage, action = decided("s")
    stage.land(action)
    back = HandedBack("ServerFull", "It was full", stage.now.wall, excluded=("a",))
    stage.happens("r", back)
    assert told(stage.settle()) == ["Assign s"]
    stage.show(make_member("b"))
    assert told(stage.settle()) == ["Assign r"]
    assert stage.placed() == {"s": "a", "r": "b"}
    assert stage.runs["r"].attempt == 1


def test_an_old_version_that_the_watch_delivers_again_is_ignored() -> None:
    stage, action = decided("s")
    waiting = stage.runs["r"]
    stage.land(action)
    stage.board.run_changed(waiting, stage.now)
    assert stage.decide() == []


def test_terminal_is_terminal_whatever_is_delivered_after_it() -> None:
    stage, action = decided()
    waiting = stage.runs["r"]
    stage.land(action)
    stage.happens("r", Succeeded(Ending()))
    stage.board.run_changed(waiting, stage.now)
    stage.alive.add("a")
    assert stage.elapse(60) == []


def test_a_run_of_the_same_name_is_another_run() -> None:
    stage, action = decided()
    stage.land(action)
    stage.goes("r")
    stage.show(make_run("r", uid="uid-again"))
    assert [each.run.uid for each in stage.decide()] == ["uid-again"]


def test_the_count_of_what_is_taken_agrees_with_the_runs() -> None:
    stage, action = decided("s")
    assert stage.board.recount() == 0
    stage.land(action)
    assert stage.board.recount() == 0
    stage.happens("r", Succeeded(Ending()))
    stage.settle()
    assert stage.board.recount() == 0
