"""The book of Runs: attempts, states, causes, capacity, drain and time, told case by case."""

from collections.abc import Mapping

import pytest

from kruntimes.server import End, ErrorKind, Refusal, RetryAdvice, RunError, RunKey
from kruntimes.server.machine import Accepts, Act, Book, Policy, Record, State, Terms

KEY = RunKey("u", 1)
DIGEST = "sha256:1"


def make_book(capacity: Mapping[str, int] | None = None, **policy: float) -> Book:
    return Book(Policy(instance="i", capacity=capacity or {"runs": 2}, **policy))  # type: ignore[arg-type]


def start(book: Book, key: RunKey = KEY, now: float = 0.0, digest: str = DIGEST, **terms: object) -> Record:
    known = book.find(key, digest, "i", now)
    if known is not None:
        return known
    promised = Terms(**{"requests": {"runs": 1}, "grace": 5.0, **terms})  # type: ignore[arg-type]
    return book.admit(key, digest, promised, now)


def end(book: Book, key: RunKey = KEY, now: float = 1.0, **ended: object) -> Record:
    record = book.ended(key, End(**{"exit_code": 0, **ended}), now)  # type: ignore[arg-type]
    assert record is not None
    return record


def acts(book: Book) -> list[Act]:
    return [order.act for order in book.orders()]


def refused(*, reason: str, code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, check=lambda error: (error.reason, error.code) == (reason, code))


def test_a_run_passes_from_starting_over_running_to_its_end() -> None:
    book = make_book()
    seen = [start(book)]
    book.running(KEY, 1.0)
    seen.append(book.get(KEY))
    seen.append(end(book, now=2.0))
    assert [(one.state, one.revision) for one in seen] == [
        (State.STARTING, 1),
        (State.RUNNING, 2),
        (State.SUCCEEDED, 3),
    ]
    assert (seen[-1].started, seen[-1].ended) == (1.0, 2.0)
    assert acts(book) == [Act.CHANGED] * 3


def test_running_said_twice_changes_nothing() -> None:
    book = make_book()
    start(book)
    book.running(KEY, 1.0)
    book.running(KEY, 2.0)
    assert (book.get(KEY).started, book.get(KEY).revision) == (1.0, 2)


def test_start_time_is_set_when_user_code_ran_though_running_was_never_said() -> None:
    book = make_book()
    start(book)
    assert end(book, now=3.0).started == 3.0


ENDS = {
    "exit 0": (End(exit_code=0), State.SUCCEEDED, ""),
    "no code and no signal": (End(), State.SUCCEEDED, ""),
    "exit 7": (End(exit_code=7), State.FAILED, "NON_ZERO_EXIT"),
    "a signal": (End(signal=11), State.FAILED, "KILLED_BY_SIGNAL"),
    "out of memory": (End(signal=9, oom_killed=True), State.FAILED, "OUT_OF_MEMORY"),
    "the author's own error": (
        End(error=RunError(ErrorKind.USER_INPUT, "SOURCE_INVALID")),
        State.FAILED,
        "SOURCE_INVALID",
    ),
    "outputs past their bound": (End(exit_code=0, outputs={"a": "x" * 40_000}), State.FAILED, "RESULT_TOO_LARGE"),
    "an output name past its bound": (End(outputs={"n" * 300: ""}), State.FAILED, "RESULT_TOO_LARGE"),
    "a value past its bound": (End(value=b"x" * 20_000), State.FAILED, "RESULT_TOO_LARGE"),
    "a failure with outputs past their bound keeps its reason": (
        End(exit_code=7, outputs={"a": "x" * 40_000}),
        State.FAILED,
        "NON_ZERO_EXIT",
    ),
}


@pytest.mark.parametrize(("given", "state", "reason"), ENDS.values(), ids=ENDS)
def test_how_a_run_ends(given: End, state: State, reason: str) -> None:
    book = make_book()
    start(book)
    record = book.ended(KEY, given, 1.0)
    assert record is not None
    assert (record.state, record.error.reason if record.error else "") == (state, reason)
    assert record.error is None or record.error.kind != ErrorKind.RESOURCE_LIMIT or record.end.outputs == {}  # type: ignore[union-attr]


# Starting again


def test_a_repeated_start_is_the_same_run_also_when_full_draining_and_ended() -> None:
    book = make_book({"runs": 1})
    first = start(book)
    book.drain(None, 0.0)
    assert start(book) is first
    ended = end(book)
    assert start(book) is ended


def test_the_first_failing_check_answers() -> None:
    book = make_book()
    start(book)
    start(book, RunKey("v", 2))
    cases = [
        (RunKey("", 1), DIGEST, "wrong", "KEY_INVALID", "INVALID_ARGUMENT"),
        (RunKey("a_b", 1), DIGEST, "i", "KEY_INVALID", "INVALID_ARGUMENT"),
        (RunKey("a" * 65, 1), DIGEST, "i", "KEY_INVALID", "INVALID_ARGUMENT"),
        (RunKey("u", 0), DIGEST, "i", "KEY_INVALID", "INVALID_ARGUMENT"),
        (KEY, "other", "wrong", "INSTANCE_CHANGED", "ABORTED"),
        (KEY, "other", "i", "SPEC_MISMATCH", "ALREADY_EXISTS"),
        (RunKey("v", 1), DIGEST, "i", "ATTEMPT_SUPERSEDED", "ABORTED"),
        (RunKey("u", 2), DIGEST, "i", "PREVIOUS_ATTEMPT_ACTIVE", "FAILED_PRECONDITION"),
    ]
    for key, digest, instance, reason, code in cases:
        with refused(reason=reason, code=code):
            book.find(key, digest, instance, 0.0)


def test_the_next_attempt_starts_after_the_end_of_the_one_before_and_both_are_listed() -> None:
    book = make_book()
    start(book)
    end(book)
    start(book, RunKey("u", 2))
    assert [record.key.attempt for record in book] == [1, 2]


def test_a_forgotten_key_and_all_lower_ones_are_refused_and_the_next_one_starts() -> None:
    book = make_book()
    assert book.forget(RunKey("u", 2), False, 0.0)
    for attempt in (1, 2):
        with refused(reason="RUN_FORGOTTEN", code="ABORTED"):
            start(book, RunKey("u", attempt), 1.0)
    assert start(book, RunKey("u", 3), 1.0).state is State.STARTING


def test_a_tombstone_lasts_for_its_ttl_and_the_oldest_go_first() -> None:
    book = make_book(tombstone_ttl=600.0, max_tombstones=2)
    for uid in "abc":
        book.forget(RunKey(uid, 1), False, 0.0)
    assert start(book, RunKey("a", 1), 1.0)
    with refused(reason="RUN_FORGOTTEN", code="ABORTED"):
        start(book, RunKey("b", 1), 599.0)
    assert start(book, RunKey("b", 1), 600.0)


def test_forgetting_a_lower_attempt_never_lowers_a_tombstone() -> None:
    book = make_book()
    book.forget(RunKey("u", 5), False, 0.0)
    book.forget(RunKey("u", 2), False, 0.0)
    with refused(reason="RUN_FORGOTTEN", code="ABORTED"):
        start(book, RunKey("u", 4), 1.0)


# Capacity


def test_full_is_refused_without_a_trace_and_room_is_back_with_the_end() -> None:
    book = make_book({"runs": 1, "cpu": 1000})
    start(book, requests={"runs": 1, "cpu": 600})
    assert book.accepts is Accepts.SATURATED
    with refused(reason="SERVER_FULL", code="RESOURCE_EXHAUSTED"):
        start(book, RunKey("v", 1))
    assert [record.key for record in book] == [KEY]
    end(book)
    assert book.accepts is Accepts.ACCEPTING
    assert book.amounts.available() == {"runs": 1, "cpu": 1000}
    assert start(book, RunKey("v", 1))


def test_what_can_never_fit_is_out_of_range_also_when_full_and_draining() -> None:
    book = make_book({"runs": 1})
    start(book)
    book.drain(None, 0.0)
    with refused(reason="EXCEEDS_TOTAL", code="OUT_OF_RANGE"):
        start(book, RunKey("v", 1), requests={"runs": 2})


def test_the_lesser_of_own_and_granted_capacity_is_offered_name_by_name() -> None:
    book = make_book({"runs": 4, "cpu": 1000})
    book.grant({"runs": 8, "cpu": 500, "nvidia.com/gpu": 1}, None)
    assert book.amounts.total == {"runs": 4, "cpu": 500}
    book.grant({}, None)
    assert book.amounts.total == {"runs": 4, "cpu": 500}


def test_a_grant_below_what_is_taken_leaves_nothing_free_and_stops_nobody() -> None:
    book = make_book({"runs": 2})
    start(book)
    start(book, RunKey("v", 1))
    book.grant({"runs": 1}, None)
    assert (book.amounts.available(), book.accepts) == ({"runs": 0}, Accepts.SATURATED)
    assert Act.STOP not in acts(book)


def test_the_bounds_on_outstanding_and_on_kept_runs_saturate() -> None:
    book = make_book({"runs": 9}, max_outstanding=1, max_kept=1)
    start(book)
    with refused(reason="SERVER_FULL", code="RESOURCE_EXHAUSTED"):
        start(book, RunKey("v", 1))
    end(book)
    assert book.accepts is Accepts.SATURATED
    with refused(reason="SERVER_FULL", code="RESOURCE_EXHAUSTED"):
        start(book, RunKey("v", 1))
    book.forget(KEY, False, 2.0)
    assert start(book, RunKey("v", 1))


# Stopping


def test_cancel_stops_politely_then_hard_after_the_grace_and_again_until_the_work_is_gone() -> None:
    book = make_book()
    start(book)
    book.running(KEY, 0.0)
    record = book.cancel(KEY, 3.0, "USER_ASKED", 1.0)
    assert (record.state, record.cause.reason if record.cause else "") == (State.STOPPING, "USER_ASKED")
    assert acts(book)[-2:] == [Act.CHANGED, Act.STOP]
    book.tick(3.9)
    assert acts(book) == []
    assert book.due() == 4.0
    book.tick(4.0)
    assert acts(book) == [Act.KILL]
    book.tick(6.0)
    assert acts(book) == [Act.KILL]
    record = end(book, now=6.5, exit_code=None, signal=9)
    assert record.state is State.CANCELLED
    assert record.error == RunError(ErrorKind.CANCELLED, "USER_ASKED", "The Run was cancelled.")
    assert record.end is not None
    assert record.end.signal == 9


def test_a_repeated_cancel_only_shortens_the_grace_and_zero_is_the_hard_stop() -> None:
    book = make_book()
    start(book)
    book.cancel(KEY, None, "", 0.0)
    assert book.due() == 5.0
    book.cancel(KEY, 60.0, "", 1.0)
    assert book.due() == 5.0
    book.cancel(KEY, 1.0, "", 1.0)
    assert book.due() == 2.0
    book.orders()
    book.cancel(KEY, 0.0, "", 1.5)
    assert acts(book) == [Act.KILL]
    assert book.get(KEY).revision == 2


def test_cancel_of_an_ended_run_changes_nothing() -> None:
    book = make_book()
    start(book)
    ended = end(book)
    assert book.cancel(KEY, None, "", 2.0) is ended


def test_cancel_refuses_what_is_unknown_or_malformed() -> None:
    book = make_book()
    with refused(reason="RUN_UNKNOWN", code="NOT_FOUND"):
        book.cancel(KEY, None, "", 0.0)
    start(book)
    for grace, reason in ((-1.0, ""), (None, "not upper"), (None, "A" * 65)):
        with refused(reason="FIELD_INVALID", code="INVALID_ARGUMENT"):
            book.cancel(KEY, grace, reason, 0.0)
    assert book.get(KEY).state is State.STARTING


def test_a_program_that_ended_before_the_stop_keeps_its_own_end() -> None:
    book = make_book()
    start(book)
    book.cancel(KEY, None, "", 0.5)
    assert end(book, before_stop=True).state is State.SUCCEEDED


def test_exit_0_after_a_stop_is_cancelled_with_its_code_kept() -> None:
    book = make_book()
    start(book)
    book.cancel(KEY, None, "", 0.5)
    record = end(book)
    assert record.state is State.CANCELLED
    assert record.end is not None
    assert record.end.exit_code == 0


def test_the_first_cause_wins() -> None:
    book = make_book()
    start(book, execution_timeout=2.0)
    book.running(KEY, 1.0)
    assert book.due() == 3.0
    book.tick(3.0)
    book.cancel(KEY, 0.5, "LATER", 3.1)
    assert book.due() == 3.6
    record = end(book, now=3.5)
    assert (record.state, record.error.reason if record.error else "") == (State.TIMED_OUT, "TIME_LIMIT")


def test_the_execution_limit_is_counted_in_running_and_the_queue_limit_before_it() -> None:
    book = make_book()
    start(book, execution_timeout=10.0, queue_timeout=4.0)
    assert book.due() == 4.0
    book.running(KEY, 3.0)
    assert book.due() == 13.0
    start(book, RunKey("v", 1), 3.0, execution_timeout=1.0, queue_timeout=4.0)
    book.tick(7.0)
    record = end(book, RunKey("v", 1), 7.5, exit_code=None)
    assert (record.state, record.started) == (State.TIMED_OUT, None)
    assert record.error is not None
    assert record.error.reason == "QUEUE_TIME_LIMIT"


def test_running_said_after_the_stop_sets_the_start_time_only() -> None:
    book = make_book()
    start(book)
    book.cancel(KEY, None, "", 0.5)
    book.running(KEY, 0.7)
    assert (book.get(KEY).state, book.get(KEY).started, book.due()) == (State.STOPPING, 0.7, 5.5)


# Forgetting


def test_forget_of_an_active_run_needs_stop_and_ends_it_hard_first() -> None:
    book = make_book()
    start(book)
    with refused(reason="RUN_ACTIVE", code="FAILED_PRECONDITION"):
        book.forget(KEY, False, 0.0)
    book.orders()
    assert not book.forget(KEY, True, 1.0)
    assert acts(book) == [Act.CHANGED, Act.KILL]
    with refused(reason="RUN_FORGOTTEN", code="ABORTED"):
        start(book, KEY, 1.0)
    assert book.ended(KEY, End(signal=9), 2.0) is None
    assert acts(book) == [Act.CHANGED, Act.FORGOTTEN]
    assert book.forget(KEY, True, 3.0)
    assert (len(book), book.active, book.amounts.available()) == (0, 0, {"runs": 2})


def test_an_ended_run_is_kept_for_its_retention_then_forgotten_with_a_tombstone() -> None:
    book = make_book(retention=3600.0)
    start(book)
    end(book, now=10.0)
    assert book.due() == 3610.0
    book.tick(3609.0)
    assert book.known(KEY) is not None
    book.orders()
    book.tick(3610.0)
    assert acts(book) == [Act.FORGOTTEN]
    with refused(reason="RUN_FORGOTTEN", code="ABORTED"):
        start(book, KEY, 3611.0)


# Drain and the daemon


def test_drain_takes_no_new_runs_and_ends_the_rest_when_its_time_is_over() -> None:
    book = make_book()
    start(book, grace=30.0)
    assert book.drain(None, 0.0) == 1
    assert book.due() is None
    assert book.drain(10.0, 0.0) == 1
    assert book.drain(20.0, 0.0) == 1
    assert book.accepts is Accepts.DRAINING
    with refused(reason="DRAINING", code="UNAVAILABLE"):
        start(book, RunKey("v", 1))
    book.orders()
    assert book.due() == 10.0
    book.tick(10.0)
    assert acts(book) == [Act.CHANGED, Act.STOP]
    book.tick(12.0)
    assert acts(book) == [Act.KILL]
    record = end(book, now=12.1, exit_code=None, signal=9)
    assert record.state is State.FAILED
    assert record.error is not None
    want = (ErrorKind.INFRASTRUCTURE, "DRAINED", RetryAdvice.RETRY)
    assert (record.error.kind, record.error.reason, record.error.retry) == want
    assert book.due() == 12.1 + 3600.0


def test_a_daemon_that_is_silent_for_its_timeout_loses_its_runs_and_calls_keep_them() -> None:
    book = make_book()
    book.heard(0.0)
    book.grant({}, 9.0)
    start(book, grace=30.0)
    book.heard(8.0)
    book.tick(9.0)
    assert book.get(KEY).state is State.STARTING
    assert book.due() == 17.0
    book.orders()
    book.tick(17.0)
    assert acts(book) == [Act.CHANGED, Act.STOP]
    assert book.due() == 20.0  # a third of the timeout, though the Run's own grace is longer
    record = end(book, now=18.0)
    assert (record.state, record.error.reason if record.error else "") == (State.CANCELLED, "DAEMON_LOST")
    book.heard(30.0)
    start(book, RunKey("v", 1), 30.0)
    assert book.due() == 39.0


def test_the_status_revision_rises_with_every_change_of_capacity() -> None:
    book = make_book()
    seen = [book.status_revision]
    start(book)
    seen.append(book.status_revision)
    end(book)
    seen.append(book.status_revision)
    book.drain(None, 2.0)
    seen.append(book.status_revision)
    assert seen == sorted(set(seen))
