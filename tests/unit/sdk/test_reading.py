"""Which log is read for a Run's output, when that is over, and what is said about it."""

from collections.abc import Mapping
from typing import Any

import pytest
from kruntimes import ApiError, Forbidden, KruntimesError, LogPiece, NotFound, Refused, Unreachable, frames
from kruntimes._reading import GRACE_SECONDS, Reading
from kruntimes.frames import End, Piece

from tests.unit.sdk.runs import make_run

ENDS = [End("uid-r", 1, name, 0, False) for name in frames.CHANNELS]


def stdout(text: str, size: int | None = None) -> dict[str, Any]:
    return {"stdout": {"bytes": len(text) if size is None else size, "tail": text}}


def line(offset: int, data: bytes, attempt: int = 1) -> bytes:
    return frames.write(Piece("uid-r", attempt, "stdout", offset, data))


def running(attempt: int = 1, pod: str = "a") -> dict[str, Any]:
    return make_run("r", phase="Running", attempt=attempt, assignedPod=pod)


def succeeded(text: str, size: int | None = None, attempt: int = 1) -> dict[str, Any]:
    return make_run("r", phase="Succeeded", attempt=attempt, assignedPod="a", output=stdout(text, size))


def path(reading: Reading) -> str:
    """The log that is wanted, empty when none is."""
    wanted = reading.wants
    return wanted.path if wanted else ""


def query(reading: Reading) -> Mapping[str, str]:
    """How the log that is wanted is asked for."""
    wanted = reading.wants
    return wanted.query if wanted else {}


def shown(pieces: list[LogPiece]) -> list[bytes | str]:
    return [piece.note or piece.data for piece in pieces]


def test_output_that_the_status_holds_needs_no_log() -> None:
    for follow in (False, True):
        reading = Reading(succeeded("all of it"), follow)
        assert shown(reading.begin()) == [b"all of it"]
        assert reading.over
        assert reading.wants is None


def test_a_run_that_was_never_started_wrote_nothing() -> None:
    reading = Reading(make_run("r", phase="Cancelled"), follow=True)
    assert (reading.begin(), reading.over) == ([], True)


def test_more_than_the_tail_is_read_from_the_pod() -> None:
    reading = Reading(succeeded("ef", 6), follow=False)
    assert reading.begin() == []
    assert reading.wants is not None
    assert reading.wants.path == "/api/v1/namespaces/default/pods/a/log"
    assert reading.wants.query == {"container": "kruntimes-daemon"}
    assert shown(reading.feed(line(0, b"abcd"))) == [b"abcd", b"ef"]
    assert reading.over


def test_a_log_that_holds_less_is_said_to() -> None:
    reading = Reading(succeeded("ef", 6), follow=False)
    reading.begin()
    assert shown(reading.feed(line(0, b"ab"))) == [b"ab"]
    assert reading.log_ended() == []
    assert query(reading) == {"container": "kruntimes-daemon", "previous": "true"}
    (last,) = reading.log_ended()
    assert (last.missing, last.data) == (2, b"ef")
    assert "2 bytes of stdout are missing here: the Pod's log no longer holds them" in last.note


def test_a_pod_that_is_gone_leaves_the_tail() -> None:
    reading = Reading(succeeded("ef", 6), follow=False)
    reading.begin()
    (last,) = reading.log_failed(NotFound("pods a not found", 404))
    assert (last.missing, last.data, reading.over) == (4, b"ef", True)
    assert "the Pod that wrote them is gone" in last.note


def test_a_run_that_goes_on_is_read_up_to_now() -> None:
    reading = Reading(running(), follow=False)
    assert reading.begin() == []
    assert shown(reading.feed(line(0, b"ab"))) == [b"ab"]
    assert (reading.log_ended(), reading.over) == ([], True)


def test_a_run_that_waits_has_nothing_to_read_yet() -> None:
    reading = Reading(make_run("r"), follow=False)
    assert shown(reading.begin()) == ["Run r is Pending, and has written nothing yet"]
    assert reading.over


def test_a_waiting_run_is_followed_once_it_runs() -> None:
    reading = Reading(make_run("r"), follow=True)
    assert (reading.begin(), path(reading)) == ([], "")
    reading.see(make_run("r", phase="Scheduled", attempt=1, assignedPod="a"))
    assert path(reading) == ""
    reading.see(running())
    assert path(reading).endswith("/pods/a/log")
    assert shown(reading.feed(line(0, b"ab"))) == [b"ab"]
    assert not reading.over
    assert shown(reading.see(succeeded("abcd"))) == [b"cd"]
    assert reading.over


def test_an_end_before_the_last_lines_waits_for_them_and_not_for_ever() -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    reading.feed(line(0, b"ab"))
    before = reading.patience
    assert reading.see(succeeded("ef", 6)) == []
    assert (before, reading.patience) == (None, GRACE_SECONDS)
    assert reading.silent() == []
    assert "previous" in query(reading)
    (last,) = reading.silent()
    assert (last.missing, last.data, reading.over) == (2, b"ef", True)


def test_what_a_daemon_wrote_before_it_was_restarted_is_found() -> None:
    reading = Reading(succeeded("ef", 6), follow=False)
    reading.begin()
    reading.log_ended()
    assert "previous" in query(reading)
    assert shown(reading.feed(line(0, b"abcd"))) == [b"abcd", b"ef"]
    assert reading.over


def test_no_log_of_before_is_no_reason_of_its_own() -> None:
    reading = Reading(succeeded("ef", 6), follow=True)
    reading.begin()
    reading.silent()
    (last,) = reading.log_failed(Refused("previous terminated container not found", 400, rule="", field=""))
    assert "the Pod's log no longer holds them" in last.note


FAILURES: dict[str, tuple[KruntimesError, bool]] = {
    "the container has not started": (Refused("waiting to start", 400, rule="", field=""), True),
    "the API server is away": (Unreachable("cut"), True),
    "the kubelet is away": (ApiError("no answer", 502), True),
    "something else": (ApiError("no such thing", 405), False),
}


@pytest.mark.parametrize(("error", "again"), FAILURES.values(), ids=FAILURES)
def test_a_log_that_cannot_be_read_now_is_read_later(error: KruntimesError, again: bool) -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    assert reading.log_failed(error) == []
    reading.see(succeeded("ef", 6))
    assert bool(path(reading)) is True
    assert reading.over is False
    if not again:
        assert shown(reading.log_failed(error)) == [f"4 bytes of stdout are missing here: {error}"]


def test_who_reads_once_is_told_that_nobody_answers() -> None:
    reading = Reading(succeeded("ef", 6), follow=False)
    reading.begin()
    with pytest.raises(Unreachable):
        reading.log_failed(Unreachable("cut"))


@pytest.mark.parametrize(
    "found", [None, {**running(), "metadata": {**running()["metadata"], "uid": "another"}}]
)
def test_a_run_that_is_gone_is_an_error(found: dict[str, Any] | None) -> None:
    reading = Reading(running(), follow=True)
    with pytest.raises(NotFound, match="deleted"):
        reading.see(found)


def test_a_log_that_ends_while_the_run_goes_on_is_read_again() -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    reading.feed(line(0, b"ab"))
    assert reading.log_ended() == []
    assert reading.wants is not None
    assert reading.feed(line(0, b"ab")) == []


def test_the_next_attempt_goes_on_in_another_pod() -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    reading.feed(line(0, b"one"))
    reading.see(make_run("r", phase="Pending", attempt=2))
    assert reading.wants is not None
    assert "/pods/a/" in reading.wants.path
    said = shown(reading.log_failed(NotFound("pods a not found", 404)))
    assert said == ["the end of what attempt 1 wrote was not seen: its member was lost"]
    said = shown(reading.see(running(attempt=2, pod="b")))
    assert said == ["attempt 2 of Run r begins here"]
    assert reading.wants is not None
    assert "/pods/b/" in reading.wants.path
    assert shown(reading.feed(line(0, b"two", attempt=2))) == [b"two"]


def test_an_attempt_whose_ends_were_seen_is_left_without_a_word() -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    for end in ENDS:
        reading.feed(frames.write(end))
    assert shown(reading.see(running(attempt=2, pod="b"))) == ["attempt 2 of Run r begins here"]


def test_who_may_not_read_logs_gets_the_tail_and_the_reason() -> None:
    reading = Reading(running(), follow=True)
    reading.begin()
    assert shown(reading.log_failed(Forbidden("pods is forbidden", 403))) == [
        "the output of Run r cannot be read as it comes: pods is forbidden"
    ]
    assert (reading.wants, reading.over) == (None, False)
    (last,) = reading.see(succeeded("ef", 6))
    assert (last.data, last.missing, reading.over) == (b"ef", 4, True)
    assert "pods is forbidden" in last.note
