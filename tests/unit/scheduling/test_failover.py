"""When a member is lost, and what becomes of its Runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Delivered, Failed, Requeued, Started, Succeeded
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.scheduling.actions import End, Requeue
from kruntimes_core.scheduling.board import Watched
from kruntimes_core.scheduling.settings import Settings
from tests.builders import at, make_member, make_run
from tests.unit.scheduling.stage import Stage, told


def running(name: str = "r") -> Stage:
    """A Run that runs on member a, whose lease was renewed just now."""
    run = replace(make_run(name, on="a"), phase=Phase.RUNNING, delivered=at(0).wall, started=at(0).wall)
    return Stage(make_member("a"), run)


# Leases.


def test_a_lease_lasts_fifteen_seconds_and_no_shorter() -> None:
    stage = running()
    assert stage.elapse(14.9) == []
    assert told([action for _, action in stage.elapse(0.2)]) == ["Requeue r"]


def test_a_member_says_itself_how_long_its_lease_lasts() -> None:
    stage = running()
    stage.offers("a", lease_seconds=40.0)
    assert stage.elapse(39.9) == []
    assert told([action for _, action in stage.elapse(0.2)]) == ["Requeue r"]


def test_a_member_that_renews_is_never_lost() -> None:
    stage = running()
    stage.alive.add("a")
    assert stage.elapse(600) == []


def test_a_lease_that_changes_without_being_renewed_grows_old() -> None:
    stage = running()
    stage.elapse(10)
    unrenewed = replace(stage.members["a"], version="9000", accept_state=AcceptState.SATURATED)
    stage.board.member_changed(unrenewed, stage.now)
    assert told([action for _, action in stage.elapse(5)]) == ["Requeue r"]


def test_a_renewal_that_comes_late_in_the_wrong_order_counts_for_nothing() -> None:
    stage = running()
    stage.elapse(10)
    stale = replace(stage.members["a"], version="1", renewed=at(99).wall)
    stage.board.member_changed(stale, stage.now)
    assert told([action for _, action in stage.elapse(5)]) == ["Requeue r"]


def test_a_deleted_lease_is_a_lost_member_only_when_it_would_have_run_out() -> None:
    stage = running()
    stage.elapse(10)
    stage.leaves("a")
    assert stage.elapse(4.9) == []
    assert told([action for _, action in stage.elapse(0.2)]) == ["Requeue r"]


def test_a_member_never_heard_of_has_a_lease_s_time_to_be_heard() -> None:
    stage = Stage(make_run(on="a"))
    assert stage.elapse(14.9) == []
    assert told([action for _, action in stage.elapse(0.2)]) == ["Requeue r"]


def test_a_member_that_is_heard_in_time_keeps_its_run() -> None:
    stage = Stage(make_run(on="a", delivered=at(0).wall))
    stage.elapse(14)
    stage.show(make_member("a"))
    stage.alive.add("a")
    assert stage.elapse(60) == []


def test_a_pod_of_the_same_name_does_not_answer_for_the_one_before() -> None:
    stage = running()
    stage.show(make_member("a", pod_uid="uid-new", instance="instance-new"))
    stage.alive.add("a")
    [(when, action)] = stage.elapse(15)[:1]
    assert (when, told([action])) == (15.0, ["Requeue r"])


def test_a_lost_member_that_comes_back_is_given_runs_again() -> None:
    stage = running()
    stage.elapse(20)
    stage.show(make_member("a"))
    stage.alive.add("a")
    stage.elapse(5)
    assert stage.placed() == {"r": "a"}
    assert stage.runs["r"].attempt == 2


# What was not looked at is not missing.


def test_while_the_watch_is_broken_nobody_is_lost_and_ages_start_anew_after_it() -> None:
    stage = running()
    stage.elapse(14)
    stage.board.watch_broken(Watched.MEMBERS, stage.now)
    assert stage.board.wake_at() is None
    assert stage.elapse(100) == []
    stage.board.watch_synced(Watched.MEMBERS, stage.now)
    assert stage.elapse(14.9) == []
    assert told([action for _, action in stage.elapse(0.2)]) == ["Requeue r"]


@pytest.mark.parametrize("watched", list(Watched))
def test_nothing_at_all_is_decided_while_any_watch_is_broken(watched: Watched) -> None:
    stage = Stage(make_member("a"), make_run())
    stage.board.watch_broken(watched, stage.now)
    assert stage.decide() == []
    stage.board.watch_synced(watched, stage.now)
    assert told(stage.decide()) == ["Assign r"]


def answering(stage: Stage, seconds: float) -> list[str]:
    """What is decided while the API answers every two seconds."""
    done: list[str] = []
    for _ in range(int(seconds / 2)):
        stage.board.api_answered(stage.now)
        done += told([action for _, action in stage.elapse(2)])
    return done


def test_an_api_that_falls_silent_loses_nobody_and_ages_start_anew_after_it() -> None:
    stage = running()
    stage.board.api_answered(stage.now)
    assert stage.elapse(100) == []
    assert answering(stage, 14) == []
    assert answering(stage, 2) == ["Requeue r", "Hold r"]


def test_an_api_that_answers_saves_no_member_that_is_silent() -> None:
    stage = running()
    assert answering(stage, 14) == []
    assert answering(stage, 2) == ["Requeue r", "Hold r"]


def test_a_scheduler_that_stood_still_reads_first_what_came_meanwhile() -> None:
    stage = running()
    stage.skip(120)
    assert stage.decide() == []
    stage.skip(1)
    stage.offers("a")
    stage.alive.add("a")
    assert stage.elapse(60) == []


def test_a_scheduler_that_stood_still_loses_those_who_are_silent_then() -> None:
    stage = running()
    stage.skip(120)
    assert told([action for _, action in stage.elapse(2)]) == ["Requeue r"]


# What becomes of the Runs.


def test_a_lost_run_is_tried_again_by_another_member() -> None:
    stage = running()
    stage.show(make_member("b"))
    stage.alive.add("b")
    stage.elapse(15)
    run = stage.runs["r"]
    assert stage.placed() == {"r": "b"}
    assert (run.attempt, run.losses, run.phase) == (2, 1, Phase.SCHEDULED)


def test_three_losses_are_made_good_after_growing_pauses_and_the_fourth_is_the_end() -> None:
    stage = running()
    stage.leaves("a")
    pauses = []
    for number in range(4):
        [(_, action)] = stage.elapse(15)[:1]
        if isinstance(action, Requeue):
            before = action.event.not_before
            pauses.append((before - action.event.at).total_seconds() if before else 0.0)
            stage.show(make_member(f"b{number}"))
            stage.elapse(pauses[-1])
            stage.leaves(f"b{number}")
    assert pauses == [0.0, 1.0, 4.0]
    run = stage.runs["r"]
    assert (run.phase, run.reason, run.attempt, run.losses) == (Phase.FAILED, Reason.MEMBER_LOST, 4, 3)


@pytest.mark.parametrize("losses", [0, 1, 2, 3])
def test_the_losses_that_are_made_good_are_counted_over_schedulers(losses: int) -> None:
    stage = Stage(make_run(on="a", attempt=losses + 1, losses=losses))
    [(_, action)] = stage.elapse(15)
    assert isinstance(action.event, Requeued if losses < 3 else Failed)


def test_all_runs_of_a_lost_member_are_lost_and_no_others() -> None:
    taken = at(0).wall
    runs = [make_run(name, on=pod, delivered=taken) for name, pod in [("1", "a"), ("2", "a"), ("3", "b")]]
    stage = Stage(make_member("a", runs=2), make_member("b"), *runs)
    stage.alive.add("b")
    assert told([action for _, action in stage.elapse(15)]) == ["Requeue 1", "Requeue 2"]


def test_a_run_that_ended_in_time_is_not_lost() -> None:
    stage = running()
    stage.elapse(14)
    stage.happens("r", Succeeded(Ending(exit_code=0)))
    assert stage.elapse(60) == []


@pytest.mark.parametrize("wish", ["cancel_requested", "deleting"])
def test_a_lost_run_that_nobody_wants_is_cancelled(wish: str) -> None:
    stage = running()
    stage.change("r", **{wish: True})
    [(_, action)] = stage.elapse(20)
    assert isinstance(action, End)
    assert isinstance(action.event, Cancelled)
    assert stage.runs["r"].phase is Phase.CANCELLED


def test_a_living_member_ends_a_cancelled_run_itself() -> None:
    stage = running()
    stage.alive.add("a")
    stage.change("r", cancel_requested=True)
    assert stage.elapse(120) == []


@pytest.mark.parametrize("wish", ["cancel_requested", "deleting"])
def test_a_run_cancelled_before_it_was_assigned_ends_at_once(wish: str) -> None:
    stage = Stage(make_run())
    assert stage.decide() == []
    stage.change("r", **{wish: True})
    [action] = stage.decide()
    assert isinstance(action.event, Cancelled)
    assert action.event.ending.reason == Reason.CANCELLED


# Left lying.


def test_a_run_that_its_living_member_never_takes_goes_elsewhere() -> None:
    stage = Stage(make_member("a", runs=9), make_run(on="a"), make_member("b"))
    stage.alive |= {"a", "b"}
    assert stage.elapse(29.9) == []
    actions = [action for _, action in stage.elapse(0.2)]
    assert told(actions) == ["Requeue r", "Assign r"]
    assert isinstance(actions[0].event, Requeued)
    assert (actions[0].event.reason, actions[0].event.excluded) == (Reason.START_DEADLINE, ("a",))
    assert stage.placed() == {"r": "b"}


@pytest.mark.parametrize("sign", [Delivered(at(20).wall), Started(at(20).wall)], ids=["taken", "started"])
def test_a_run_that_was_taken_has_no_start_deadline(sign: Delivered | Started) -> None:
    stage = Stage(make_member("a"), make_run(on="a"))
    stage.alive.add("a")
    stage.elapse(20)
    stage.happens("r", sign)
    assert stage.elapse(300) == []


def test_the_start_deadline_begins_anew_when_the_watch_of_runs_was_broken() -> None:
    stage = Stage(make_member("a"), make_run(on="a"))
    stage.alive.add("a")
    stage.elapse(25)
    stage.board.watch_broken(Watched.RUNS, stage.now)
    stage.elapse(25)
    stage.board.watch_synced(Watched.RUNS, stage.now)
    assert stage.elapse(29.9) == []
    assert told([action for _, action in stage.elapse(0.2)])[0] == "Requeue r"


def test_who_was_left_lying_by_the_only_member_may_try_it_again_later() -> None:
    stage = Stage(make_member("a"), make_run(on="a"), settings=Settings(exclusion_lapse=60))
    stage.alive.add("a")
    stage.elapse(30)
    assert stage.runs["r"].phase is Phase.PENDING
    stage.elapse(59.9)
    assert stage.placed() == {}
    stage.elapse(0.2)
    assert stage.placed() == {"r": "a"}
