"""The book of Runs: states, ends, starting again, capacity, told case by case."""

import pytest
from kruntimes.server import End, ErrorKind, RunError, RunKey
from kruntimes.server.machine import Accepts, Act, State

from tests.unit.server.books import DIGEST, KEY, acts, end, make_book, refused, start


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
    "outputs past their bound": (
        End(exit_code=0, outputs={"a": "x" * 40_000}),
        State.FAILED,
        "RESULT_TOO_LARGE",
    ),
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
    assert (book.accepts, book.amounts.available()) == (Accepts.SATURATED, {"runs": 0, "cpu": 400})
    with refused(reason="SERVER_FULL", code="RESOURCE_EXHAUSTED"):
        start(book, RunKey("v", 1))
    assert [record.key for record in book] == [KEY]
    end(book)
    assert (book.accepts, book.amounts.available()) == (Accepts.ACCEPTING, {"runs": 1, "cpu": 1000})
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
