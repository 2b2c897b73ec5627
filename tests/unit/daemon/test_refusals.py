"""What a daemon does with each status code that may answer its calls: the protocol's table."""

import pytest

from kruntimes_core.daemon.instructions import (
    Answered,
    Clear,
    Done,
    Fill,
    Forget,
    Handshake,
    Look,
    Refused,
    Resync,
    Start,
    TooLate,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.daemon.verdicts import Verdict, judge_start
from kruntimes_core.model.events import Delivered, Failed, HandedBack, Requeued
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.run import RetryPolicy
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin, make_snapshot, make_status

RUN = make_run(on="a", retry=RetryPolicy(max_attempts=5))
VERDICTS = {
    Code.INVALID_ARGUMENT: Verdict.FAIL,
    Code.UNIMPLEMENTED: Verdict.FAIL,
    Code.ALREADY_EXISTS: Verdict.FAIL,
    Code.OUT_OF_RANGE: Verdict.ELSEWHERE,
    Code.FAILED_PRECONDITION: Verdict.STOP_OLDER,
    Code.ABORTED: Verdict.LOOK,
    Code.RESOURCE_EXHAUSTED: Verdict.UNCLEAR,
    Code.UNAVAILABLE: Verdict.UNCLEAR,
    Code.CANCELLED: Verdict.REPEAT,
    Code.UNKNOWN: Verdict.REPEAT,
    Code.DEADLINE_EXCEEDED: Verdict.REPEAT,
    Code.NOT_FOUND: Verdict.REPEAT,
    Code.PERMISSION_DENIED: Verdict.REPEAT,
    Code.INTERNAL: Verdict.REPEAT,
    Code.DATA_LOSS: Verdict.REPEAT,
    Code.UNAUTHENTICATED: Verdict.REPEAT,
}
UNKNOWN = sorted(code for code, verdict in VERDICTS.items() if verdict is Verdict.REPEAT)


def refused(code: Code, reason: str = "", attempt: int = 1) -> PlayedDaemon:
    """Return a daemon whose StartRun was answered so."""
    daemon = begin()
    daemon.sees(make_run(on="a", attempt=attempt, retry=RUN.retry))
    daemon.answers(Fill, Done())
    daemon.answers(Start, Refused(code, reason, "so it said"))
    return daemon


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_verdict(code: Code) -> None:
    assert judge_start(Refused(code)) is VERDICTS[code]


@pytest.mark.parametrize("reason", ["SERVER_FULL", "DRAINING", "NOT_READY"])
def test_a_definite_word_counts_only_with_the_codes_that_carry_it(reason: str) -> None:
    definite = {code for code in Code if judge_start(Refused(code, reason)) is Verdict.HAND_BACK}
    assert definite == {Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE}


@pytest.mark.parametrize(
    ("code", "word", "reason"),
    [
        (Code.INVALID_ARGUMENT, "", "SpecInvalid"),
        (Code.INVALID_ARGUMENT, "PARAMETERS_INVALID", "ParametersInvalid"),
        (Code.UNIMPLEMENTED, "", "NotSupported"),
        (Code.ALREADY_EXISTS, "SPEC_MISMATCH", "SpecMismatch"),
        (Code.ALREADY_EXISTS, "A_WORD_OF_ITS_OWN", "SpecMismatch"),
    ],
)
def test_a_run_its_server_will_never_take_fails_without_retry(code: Code, word: str, reason: str) -> None:
    event = refused(code, word).told(Write).event
    assert isinstance(event, Failed)
    assert (event.ending.reason, event.ending.message) == (reason, "so it said")


@pytest.mark.parametrize(
    ("word", "reason"), [("", "ExceedsTotal"), ("ISOLATION_UNAVAILABLE", "IsolationUnavailable")]
)
def test_a_run_that_can_never_fit_here_goes_elsewhere(word: str, reason: str) -> None:
    event = refused(Code.OUT_OF_RANGE, word).told(Write).event
    assert isinstance(event, HandedBack)
    assert (event.reason, event.excluded) == (reason, ("a",))


@pytest.mark.parametrize(
    ("code", "word", "reason", "excluded"),
    [
        (Code.RESOURCE_EXHAUSTED, "SERVER_FULL", "ServerFull", ()),
        (Code.UNAVAILABLE, "NOT_READY", "NotReady", ()),
        (Code.UNAVAILABLE, "DRAINING", "Draining", ("a",)),
    ],
)
def test_a_definite_no_for_now_hands_back_the_same_attempt(
    code: Code, word: str, reason: str, excluded: tuple[str, ...]
) -> None:
    daemon = refused(code, word)
    write = daemon.answers(Write, Written("2"))
    assert isinstance(write.event, HandedBack)
    assert (write.key.attempt, write.event.reason, write.event.excluded) == (1, reason, excluded)
    assert daemon.told(Clear).key == RUN.key


def test_a_run_handed_back_may_come_again_in_the_same_attempt() -> None:
    daemon = refused(Code.RESOURCE_EXHAUSTED, "SERVER_FULL")
    daemon.answers(Write, Written("2"))
    daemon.answers(Clear, Done())
    daemon.misses(RUN)
    daemon.sees(make_run(on="a", version="4"))
    assert daemon.told(Fill).key == RUN.key


def test_an_older_attempt_still_there_is_stopped_and_then_the_start_is_repeated() -> None:
    daemon = refused(Code.FAILED_PRECONDITION, "PREVIOUS_ATTEMPT_ACTIVE", attempt=2)
    daemon.passes(0.1)
    forget = daemon.answers(Forget, Done())
    assert (forget.key, forget.stop) == (RunKey(RUN.uid, 1), True)
    assert daemon.told(Start).key == RunKey(RUN.uid, 2)


def test_an_aborted_start_looks_anew_at_server_and_api() -> None:
    daemon = refused(Code.ABORTED, "RUN_FORGOTTEN")
    assert daemon.open == [Resync()]
    daemon.lists()
    daemon.passes(0.1)
    assert daemon.open == [Handshake()]
    daemon.shakes_hands()
    daemon.finds()
    daemon.answers(Look, Refused(Code.NOT_FOUND))
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses) == (2, 1)


def test_an_aborted_start_of_a_run_that_is_there_goes_on_with_it() -> None:
    daemon = refused(Code.ABORTED, "ATTEMPT_SUPERSEDED")
    daemon.lists()
    daemon.passes(0.1)
    daemon.shakes_hands()
    daemon.finds()
    daemon.answers(Look, Answered(make_snapshot(RUN.key, RunState.STARTING)))
    assert daemon.is_idle


def test_a_start_aborted_by_a_new_instance_is_made_there_in_the_same_attempt() -> None:
    daemon = refused(Code.ABORTED, "INSTANCE_CHANGED")
    daemon.lists()
    daemon.passes(0.1)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    assert (daemon.told(Start).key, daemon.told(Start).instance) == (RUN.key, "instance-next")


@pytest.mark.parametrize("code", UNKNOWN)
def test_a_start_of_unknown_outcome_is_claimed_and_repeated_unchanged(code: Code) -> None:
    daemon = refused(code)
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    daemon.passes(0.1)
    daemon.answers(Start, Answered(make_snapshot(RUN.key, RunState.RUNNING)))
    assert daemon.is_idle


def test_repeats_of_an_unknown_start_come_less_and_less_often() -> None:
    daemon = refused(Code.DEADLINE_EXCEEDED)
    daemon.answers(Write, Written("2"))
    for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        daemon.renews()
        daemon.passes(pause * 0.99)
        assert daemon.is_idle
        daemon.passes(pause * 0.02)
        daemon.answers(Start, Refused(Code.DEADLINE_EXCEEDED))


@pytest.mark.parametrize("code", [Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE])
def test_three_unclear_refusals_are_settled_by_a_stop_and_the_next_attempt(code: Code) -> None:
    daemon = refused(code)
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    for pause in (0.1, 0.2):
        daemon.passes(pause)
        daemon.answers(Start, Refused(code))
    daemon.passes(0.4)
    assert daemon.answers(Forget, Refused(Code.UNAVAILABLE)).stop
    daemon.passes(0.8)
    daemon.answers(Forget, Done())
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    # A loss uses up no attempt of the retry policy.
    assert (event.attempt, event.losses, event.reason) == (2, 1, "OutcomeUnknown")


def test_a_run_whose_start_was_unclear_is_lost_with_the_instance_that_may_have_it() -> None:
    daemon = refused(Code.UNAVAILABLE)
    daemon.answers(Write, Written("2"))
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    assert event.reason == "ServerLost"


def test_a_start_that_was_not_made_in_time_is_made_after_the_next_renewal() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.passes(5.0)
    daemon.renews()
    assert daemon.answers(Start, TooLate()).not_after == 10.0
    assert daemon.told(Start).not_after == 15.0


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL])
def test_a_forget_that_did_not_work_is_repeated(code: Code) -> None:
    daemon = begin([], [make_snapshot(RUN.key, RunState.SUCCEEDED)])
    daemon.answers(Forget, Refused(code))
    assert daemon.is_idle
    daemon.passes(0.1)
    daemon.answers(Forget, Done())
    assert daemon.is_idle


def test_what_is_unknown_needs_no_forgetting() -> None:
    daemon = begin([], [make_snapshot(RUN.key, RunState.SUCCEEDED)])
    daemon.answers(Forget, Refused(Code.NOT_FOUND))
    daemon.passes(9.0)
    assert daemon.is_idle


def test_a_forgotten_run_that_is_active_after_all_is_looked_at_anew() -> None:
    daemon = begin([], [make_snapshot(RUN.key, RunState.SUCCEEDED)])
    daemon.answers(Forget, Refused(Code.FAILED_PRECONDITION, "RUN_ACTIVE"))
    daemon.passes(0.1)
    assert daemon.open == [Handshake()]
