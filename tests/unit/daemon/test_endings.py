"""What a server's last word on an attempt becomes in the Run object: an end, or the next attempt."""

from datetime import timedelta
from typing import Any

import pytest

from kruntimes_core.daemon.endings import conclude
from kruntimes_core.daemon.instructions import Fill, Forget, Write, Written
from kruntimes_core.daemon.server import ErrorKind, RetryAdvice, RunState, ServerError
from kruntimes_core.model.attempts import ALLOWANCE
from kruntimes_core.model.ending import Raised
from kruntimes_core.model.events import Cancelled, Ended, Failed, Requeued, Succeeded, TimedOut
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase, RetryPolicy, Run
from tests.builders import at, make_run
from tests.unit.daemon.played import begin, make_snapshot

RUN = make_run(on="a", phase=Phase.RUNNING)
NOW = at(100.0)


def after(state: int, run: Run = RUN, **said: Any) -> Ended | Requeued:
    return conclude(make_snapshot(run.key, state, **said), run, NOW, ALLOWANCE)


def failed(kind: int, reason: str = "", retry: int = RetryAdvice.UNSPECIFIED) -> dict[str, Any]:
    return {"error": ServerError(kind, reason, "so it said", retry)}


def with_retry(attempt: int = 1, losses: int = 0, **policy: Any) -> Run:
    retry = RetryPolicy(**{"max_attempts": 3} | policy)
    return make_run(on="a", phase=Phase.RUNNING, attempt=attempt, losses=losses, retry=retry)


def waited(event: Ended | Requeued) -> float:
    assert isinstance(event, Requeued)
    return (event.not_before - NOW.wall) / timedelta(seconds=1) if event.not_before else 0.0


def test_a_good_end_has_no_reason() -> None:
    event = after(RunState.SUCCEEDED, reason="IDLE", exit_code=0, outputs={"a": "1"})
    assert isinstance(event, Succeeded)
    assert (event.ending.reason, event.ending.exit_code, event.ending.outputs) == ("", 0, {"a": "1"})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"exit_code": 3}, "NonZeroExit"),
        ({"signal": 9}, "KilledBySignal"),
        ({"signal": 9, "oom_killed": True}, "OutOfMemory"),
        ({}, "Failed"),
        (failed(ErrorKind.USER_INPUT), "SourceInvalid"),
        (failed(ErrorKind.USER_INPUT, "MISSING_PROGRAM"), "MissingProgram"),
        (failed(ErrorKind.TIME_LIMIT), "TimeLimit"),
        (failed(ErrorKind.SERVER), "ServerError"),
        (failed(ErrorKind.INFRASTRUCTURE), "ServerLost"),
        (failed(ErrorKind.RESOURCE_LIMIT, "RESULT_TOO_LARGE"), "ResultTooLarge"),
        (failed(ErrorKind.USER_CODE, "A_WORD_OF_ITS_OWN") | {"exit_code": 1}, "NonZeroExit"),
        (failed(99), "Failed"),
        ({"reason": "DISK_FULL"}, "DiskFull"),
    ],
)
def test_each_failure_gets_a_word_of_the_closed_set(said: dict[str, Any], reason: str) -> None:
    event = after(RunState.FAILED, **said)
    assert isinstance(event, Failed)
    assert event.ending.reason == reason
    assert event.ending.reason in set(Reason)


def test_the_error_speaks_before_the_snapshot_and_not_without_end() -> None:
    event = after(RunState.FAILED, message="less", error=ServerError(message="m" * 5000))
    assert isinstance(event, Failed)
    assert event.ending.message == "m" * 4096


def test_value_and_exception_reach_the_end() -> None:
    raised = Raised("ValueError", "Traceback")
    error = ServerError(ErrorKind.USER_CODE, "UNCAUGHT_EXCEPTION", "bad", exception=raised)
    event = after(RunState.FAILED, exit_code=1, value="null", error=error)
    assert isinstance(event, Failed)
    ending = event.ending
    assert (ending.reason, ending.message) == ("UncaughtException", "bad")
    assert (ending.exception, ending.result) == (raised, "null")


@pytest.mark.parametrize("state", [15, 19])
def test_a_terminal_state_of_a_newer_server_counts_as_a_failure(state: int) -> None:
    assert make_snapshot(RUN.key, state).is_terminal
    assert isinstance(after(state), Failed)


def test_a_cancelled_run_is_cancelled_whoever_did_it() -> None:
    event = after(RunState.CANCELLED, reason="BY_AN_OPERATOR", signal=15)
    assert isinstance(event, Cancelled)
    assert (event.ending.reason, event.ending.signal) == ("Cancelled", 15)


@pytest.mark.parametrize(("word", "reason"), [("", "TimeLimit"), ("QUEUE_TIME_LIMIT", "QueueTimeLimit")])
def test_a_time_limit_ends_a_run_whatever_attempts_are_left(word: str, reason: str) -> None:
    event = after(RunState.TIMED_OUT, with_retry(), reason=word)
    assert isinstance(event, TimedOut)
    assert event.ending.reason == reason


def test_a_time_limit_is_tried_again_where_the_policy_names_it() -> None:
    run = with_retry(retryable_reasons=frozenset({"TimeLimit"}))
    assert isinstance(after(RunState.TIMED_OUT, run), Requeued)
    last = with_retry(attempt=3, retryable_reasons=frozenset({"TimeLimit"}))
    assert isinstance(after(RunState.TIMED_OUT, last), TimedOut)


# Losses: beside the retry policy.


@pytest.mark.parametrize(
    ("state", "said", "reason"),
    [
        (RunState.LOST, {}, "OutcomeUnknown"),
        (RunState.CANCELLED, {"reason": "DAEMON_LOST"}, "DaemonLost"),
        (RunState.FAILED, failed(ErrorKind.INFRASTRUCTURE, "DRAINED", RetryAdvice.RETRY), "Drained"),
    ],
)
def test_what_is_nobodys_fault_is_a_loss(state: int, said: dict[str, Any], reason: str) -> None:
    event = after(state, **said)
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses, event.reason, event.excluded) == (2, 1, reason, ())


def test_a_loss_better_made_good_elsewhere_excludes_this_member() -> None:
    event = after(RunState.FAILED, **failed(ErrorKind.INFRASTRUCTURE, "", RetryAdvice.RETRY_ELSEWHERE))
    assert isinstance(event, Requeued)
    assert event.excluded == ("a",)


def test_a_loss_of_a_run_nobody_wants_is_its_end() -> None:
    assert isinstance(after(RunState.LOST, make_run(on="a", cancel_requested=True)), Cancelled)


# Failures: by the retry policy.


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_a_failure_is_tried_again_until_the_attempts_are_used_up(attempt: int) -> None:
    event = after(RunState.FAILED, with_retry(attempt), exit_code=3)
    assert isinstance(event, Requeued if attempt < 3 else Failed)
    assert not isinstance(event, Requeued) or event.attempt == attempt + 1


def test_without_a_policy_a_failure_is_the_end() -> None:
    assert isinstance(after(RunState.FAILED, exit_code=3), Failed)


def test_losses_use_up_no_attempt() -> None:
    event = after(RunState.FAILED, with_retry(attempt=4, losses=2), exit_code=3)
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses) == (5, 2)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2.0), (2, 4.0), (3, 8.0), (9, 300.0)])
def test_each_retry_waits_twice_as_long_up_to_a_bound(attempt: int, seconds: float) -> None:
    event = after(RunState.FAILED, with_retry(attempt, backoff=2.0, max_attempts=10), exit_code=3)
    assert waited(event) == seconds
    assert isinstance(event, Requeued)
    assert event.reason == "BackingOff"
    assert "NonZeroExit" in event.message


def test_a_retry_without_backoff_does_not_wait() -> None:
    assert waited(after(RunState.FAILED, with_retry(), exit_code=3)) == 0.0


@pytest.mark.parametrize(
    ("reasons", "again"),
    [(None, True), ({"NonZeroExit"}, True), ({"OutOfMemory"}, False), (set(), False)],
)
def test_only_retryable_reasons_are_tried_again(reasons: set[str] | None, again: bool) -> None:
    retryable = None if reasons is None else frozenset(reasons)
    event = after(RunState.FAILED, with_retry(retryable_reasons=retryable), exit_code=3)
    assert isinstance(event, Requeued if again else Failed)


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_server_that_says_never_is_believed(kind: ErrorKind) -> None:
    event = after(RunState.FAILED, with_retry(), **failed(kind, "", RetryAdvice.NEVER))
    assert isinstance(event, Failed)


def test_a_failure_of_a_run_nobody_wants_is_its_end() -> None:
    unwanted = make_run(on="a", cancel_requested=True, retry=RetryPolicy(3))
    assert isinstance(after(RunState.FAILED, unwanted, exit_code=3), Failed)


def test_a_failed_attempt_is_written_forgotten_and_may_come_back_as_the_next() -> None:
    daemon = begin()
    run = make_run(on="a", retry=RetryPolicy(2))
    daemon.starts(run)
    daemon.ends(run, RunState.FAILED, exit_code=3)
    write = daemon.answers(Write, Written("2"))
    assert isinstance(write.event, Requeued)
    assert daemon.one(Forget).key == run.key
    daemon.misses(run)
    daemon.sees(make_run(on="a", version="4", attempt=2, retry=run.retry))
    assert not daemon.has(Fill)
