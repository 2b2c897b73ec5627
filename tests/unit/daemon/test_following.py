"""Whose output is followed, from when on, and what is done when that breaks."""

import pytest

from kruntimes_core.daemon.instructions import Collect, Done, Forget, Outcome, Refused, Start, Write, Written
from kruntimes_core.daemon.server import Code, ErrorKind, RunState, ServerError
from kruntimes_core.model.run import RetryPolicy
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin

RUN = make_run(on="a")
BROKEN = Refused(Code.UNAVAILABLE)


def long_running() -> PlayedDaemon:
    """A daemon whose Run is followed."""
    daemon = begin()
    daemon.starts(RUN)
    daemon.passes(0.2)
    assert [order.key for order in daemon.follows] == [RUN.key]
    return daemon


@pytest.mark.parametrize("lived", [0.0, 0.19])
def test_the_output_of_a_short_run_is_not_followed(lived: float) -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.passes(lived)
    daemon.ends(RUN)
    daemon.passes(1.0)
    assert daemon.follows == []


def test_the_output_of_a_longer_one_is_followed_once() -> None:
    daemon = long_running()
    daemon.answers(Write, Written("2"))
    daemon.passes(30.0)
    daemon.renews()
    assert len(daemon.follows) == 1


def test_a_follower_holds_up_neither_cancel_nor_end() -> None:
    daemon = long_running()
    daemon.answers(Write, Written("2"))
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.answers(Collect, Done())
    daemon.answers(Write, Written("3"))
    daemon.answers(Forget, Done())
    daemon.settles(daemon.follows[0], BROKEN)
    assert daemon.is_idle
    assert daemon.machine.active == 0
    daemon.passes(10.0)
    assert daemon.follows == []


def test_what_broke_is_followed_again_with_longer_and_longer_pauses() -> None:
    daemon = long_running()
    daemon.settles(daemon.follows[0], BROKEN)
    assert daemon.follows == []
    daemon.passes(0.1)
    daemon.settles(daemon.follows[0], BROKEN)
    daemon.passes(0.1)
    assert daemon.follows == []
    daemon.passes(0.1)
    assert len(daemon.follows) == 1


FOR_GOOD: dict[str, Outcome] = {"it is whole": Done(), "the server cannot": Refused(Code.UNIMPLEMENTED)}


@pytest.mark.parametrize("outcome", FOR_GOOD.values(), ids=FOR_GOOD)
def test_what_is_whole_or_cannot_be_had_is_not_followed_again(outcome: Outcome) -> None:
    daemon = long_running()
    daemon.settles(daemon.follows[0], outcome)
    daemon.passes(9.0)
    assert daemon.follows == []


def test_nothing_is_followed_behind_the_fence() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.sleeps(11.0)
    daemon.decides()
    assert daemon.follows == []


def test_a_daemon_that_begins_anew_follows_what_runs() -> None:
    snapshot = begin().next_snapshot(RUN.key, RunState.RUNNING)
    daemon = begin([RUN], [snapshot])
    daemon.passes(0.2)
    assert [order.key for order in daemon.follows] == [RUN.key]


def test_output_of_an_attempt_that_is_tried_again_goes_to_the_log() -> None:
    error = ServerError(ErrorKind.USER_CODE, "NON_ZERO_EXIT")
    for attempts, want in ((1, False), (2, True)):
        run = make_run(on="a", retry=RetryPolicy(max_attempts=attempts))
        daemon = begin()
        daemon.starts(run)
        assert not daemon.has(Start)
        daemon.watches(run, RunState.FAILED, exit_code=7, error=error)
        assert daemon.one(Collect).to_log is want
