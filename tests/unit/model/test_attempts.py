"""Whether another attempt follows, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kruntimes_core.model.attempts import Allowance, Cause, after_failure, after_loss, longest_wait
from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Cancelled, Failed, Requeued
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import RetryPolicy, Run, apply
from tests.builders import at, make_run

NOW = at(100)
LOST = Cause(Reason.MEMBER_LOST, "a was lost", excluded=("a",))
ENDED = Ending(Reason.NON_ZERO_EXIT, "It ended with 1", exit_code=1)


def pause(event: Requeued) -> float:
    """Seconds that the next attempt has to wait."""
    return (event.not_before - NOW.wall).total_seconds() if event.not_before else 0.0


def running(**changes: Any) -> Run:
    """A Run that a member has."""
    return make_run(on="a", **changes)


@pytest.mark.parametrize(("losses", "seconds"), [(0, 0.0), (1, 1.0), (2, 4.0)])
def test_three_losses_are_made_good_each_later_than_the_one_before(losses: int, seconds: float) -> None:
    event = after_loss(running(attempt=losses + 1, losses=losses), LOST, NOW)
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses, pause(event)) == (losses + 2, losses + 1, seconds)
    assert (event.reason, event.message, event.excluded) == (Reason.MEMBER_LOST, "a was lost", ("a",))
    assert event.at == NOW.wall


def test_the_fourth_loss_is_the_end() -> None:
    event = after_loss(running(attempt=4, losses=3, started=at(90).wall), LOST, NOW)
    assert isinstance(event, Failed)
    assert event.ending.reason == Reason.MEMBER_LOST
    assert event.ending.message == "a was lost; this was loss 4, and 3 are made good"
    assert (event.ending.started, event.ending.ended) == (at(90).wall, NOW.wall)
    assert (event.ending.exit_code, event.ending.signal) == (None, None)


@pytest.mark.parametrize("losses", [0, 3])
@pytest.mark.parametrize("wish", ["cancel_requested", "deleting"])
def test_a_lost_run_that_nobody_wants_is_cancelled(wish: str, losses: int) -> None:
    event = after_loss(running(losses=losses, **{wish: True}), LOST, NOW)
    assert isinstance(event, Cancelled)
    assert (event.ending.reason, event.ending.message) == (Reason.CANCELLED, "Cancelled. a was lost")


def test_more_losses_than_delays_wait_the_last_delay() -> None:
    allowance = Allowance(losses=9, delays=(0.0, 2.0))
    event = after_loss(running(attempt=6, losses=5), LOST, NOW, allowance)
    assert isinstance(event, Requeued)
    assert pause(event) == 2.0


def test_nothing_is_tried_again_unless_the_run_asks_for_it() -> None:
    assert after_failure(running(), ENDED, NOW) == Failed(ENDED)


@pytest.mark.parametrize(
    ("attempt", "losses", "again"),
    [(1, 0, True), (2, 0, True), (3, 0, False), (3, 1, True), (6, 3, False)],
    ids=["first", "second", "third of three", "a loss uses up no attempt", "nor do three"],
)
def test_a_failed_program_is_tried_as_often_as_its_policy_says(
    attempt: int, losses: int, again: bool
) -> None:
    run = running(attempt=attempt, losses=losses, retry=RetryPolicy(max_attempts=3))
    event = after_failure(run, ENDED, NOW)
    assert isinstance(event, Requeued) is again
    if isinstance(event, Requeued):
        assert (event.attempt, event.losses, event.excluded) == (attempt + 1, losses, ())


@pytest.mark.parametrize(
    ("attempt", "losses", "seconds"),
    [(1, 0, 10.0), (2, 0, 20.0), (3, 0, 40.0), (3, 2, 10.0), (6, 0, 300.0), (9, 0, 300.0)],
)
def test_the_pause_doubles_with_every_failure_up_to_five_minutes(
    attempt: int, losses: int, seconds: float
) -> None:
    run = running(attempt=attempt, losses=losses, retry=RetryPolicy(max_attempts=10, backoff=10.0))
    event = after_failure(run, ENDED, NOW)
    assert isinstance(event, Requeued)
    assert pause(event) == seconds
    assert event.reason == Reason.BACKING_OFF
    assert event.message == f"Attempt {attempt} ended: NonZeroExit. It ended with 1"


def test_without_a_pause_the_reason_is_how_it_ended() -> None:
    event = after_failure(running(retry=RetryPolicy(max_attempts=2)), ENDED, NOW)
    assert isinstance(event, Requeued)
    assert (event.reason, event.not_before) == (Reason.NON_ZERO_EXIT, None)


@pytest.mark.parametrize(
    ("reasons", "again"),
    [
        (None, True),
        (frozenset({"NonZeroExit"}), True),
        (frozenset({"OutOfMemory"}), False),
        (frozenset(), False),
    ],
    ids=["any", "this one", "another", "none"],
)
def test_only_the_reasons_of_the_policy_are_tried_again(reasons: frozenset[str] | None, again: bool) -> None:
    run = running(retry=RetryPolicy(max_attempts=2, retryable_reasons=reasons))
    assert isinstance(after_failure(run, ENDED, NOW), Requeued) is again


@pytest.mark.parametrize("wish", ["cancel_requested", "deleting"])
def test_a_failed_run_that_nobody_wants_is_not_tried_again(wish: str) -> None:
    run = running(retry=RetryPolicy(max_attempts=5), **{wish: True})
    assert after_failure(run, ENDED, NOW) == Failed(ENDED)


def test_no_pause_that_is_given_is_longer_than_the_longest_wait() -> None:
    for backoff in (0.0, 0.1, 7.0, 1000.0):
        run = running(retry=RetryPolicy(max_attempts=10, backoff=backoff))
        while isinstance(event := after_failure(run, ENDED, NOW), Requeued):
            after = apply(run, event)
            assert pause(event) <= longest_wait(after)
            run = running(attempt=after.attempt, losses=after.losses, retry=run.retry)
        assert run.attempt == 10


def test_the_next_attempt_waits_by_the_wall_clock_of_its_writer() -> None:
    event = after_loss(running(losses=1), LOST, NOW)
    assert isinstance(event, Requeued)
    assert event.not_before == NOW.wall + timedelta(seconds=1)


def test_an_attempt_number_in_the_thousands_is_no_trouble() -> None:
    retry = RetryPolicy(max_attempts=5000, backoff=1.0)
    assert longest_wait(running(attempt=4000, retry=retry)) == 300.0
    event = after_failure(running(attempt=4000, retry=retry), ENDED, NOW)
    assert isinstance(event, Requeued)
    assert pause(event) == 300.0
