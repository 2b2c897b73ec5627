"""The book of Runs: cancel, time limits, forgetting, drain and the silent daemon, told case by case."""

from kruntimes.server import End, ErrorKind, RetryAdvice, RunError, RunKey
from kruntimes.server.machine import Accepts, Act, State

from tests.unit.server.books import KEY, acts, end, make_book, refused, start

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
