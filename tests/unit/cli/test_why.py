"""`krt why` says in plain words where a Run is, where its time went, and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kruntimes import Timings
from kruntimes._flow import read_run

from kruntimes_core.cli.answers import answer_of
from kruntimes_core.cli.receipt import receipt
from kruntimes_core.cli.why import lines_of
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member
from kruntimes_core.scheduling.books import open_books
from kruntimes_core.scheduling.explanation import explain
from kruntimes_core.scheduling.snapshot import Snapshot
from tests.builders import EPOCH, at, make_member, make_run, make_runtime


def moment(millis: int) -> datetime:
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)


def test_the_steps_of_a_receipt_add_up() -> None:
    timings = Timings(*(moment(millis) for millis in (0, 1, 4, 9, 100, 101)))
    steps = receipt(timings)
    assert [round(step.seconds * 1000) for step in steps] == [1, 3, 5, 91, 1]
    assert timings.total == timedelta(seconds=sum(step.seconds for step in steps))


def test_a_moment_that_is_not_known_takes_no_time_from_the_sum() -> None:
    steps = receipt(Timings(queued=moment(0), ended=moment(30), stored=moment(40)))
    assert [(step.name, round(step.seconds * 1000)) for step in steps] == [
        ("program ran", 30),
        ("result was written", 10),
    ]


def test_what_goes_on_is_told_as_such() -> None:
    going_on = receipt(Timings(queued=moment(0), assigned=moment(5)), until=moment(8))[-1]
    assert (going_on.name, going_on.open) == ("went to its member's daemon", True)
    assert going_on.seconds == pytest.approx(0.003)


def seen(phase: str = "Pending", **status: Any) -> Any:
    metadata = {"name": "r", "namespace": "default", "uid": "uid-r", "creationTimestamp": EPOCH.isoformat()}
    return read_run({"metadata": metadata, "spec": {"runtime": "bash"}, "status": {"phase": phase, **status}})


def answer(*others: Run | Member, runtime: bool = True, **run: Any) -> dict[str, Any]:
    """What is said two seconds in of a Run that waits beside these."""
    now = at(2.0)
    runs = (make_run(**run), *(other for other in others if isinstance(other, Run)))
    members = tuple(other for other in others if isinstance(other, Member))
    books = open_books(Snapshot(runs, members, (make_runtime(),) if runtime else ()), now)
    return answer_of(seen(), explain(books, "uid-r", now), [], now.wall)


TO_DO = {
    "no such Runtime": (answer(runtime=False), "create the Runtime bash"),
    "no member": (answer(), "its pool is empty"),
    "no member that is ready": (answer(make_member(instance="")), "see why no member is ready"),
    "no room": (answer(make_member(), make_run("o", on="a")), "add members"),
    "too large": (answer(make_member(), needs={"cpu": 2000}), "asking for at most cpu 0"),
    "refused by all": (answer(make_member(), excluded=("a",)), "asked again a minute later"),
    "behind another": (answer(make_member(), make_run("o", priority=1)), "1 Runs go first"),
    "just created": (answer(make_member()), "about to be assigned"),
    "backing off": (answer(attempt=2, losses=3, queued=EPOCH, not_before=at(3).wall), "may begin in 1.0 s"),
}


@pytest.mark.parametrize(("said", "want"), TO_DO.values(), ids=TO_DO)
def test_the_last_line_says_what_to_do_about_a_wait(said: dict[str, Any], want: str) -> None:
    last = lines_of(said)[-1]
    assert last.startswith("do: ")
    assert want in last


ENDS = {
    "well": (seen("Succeeded", exitCode=0), "nothing to do"),
    "failed": (seen("Failed", exitCode=1, reason="NonZeroExit"), "krt logs r"),
    "lost": (seen("Failed", reason="MemberLost"), "why members go"),
    "late": (seen("Timeout", reason="TimeLimit"), "longer timeout"),
    "waited too long": (seen("Timeout", reason="QueueTimeLimit"), "longer queueTimeout"),
    "cancelled": (seen("Cancelled"), "nothing to do"),
    "under way": (seen("Running", assignedPod="a"), "krt cancel r"),
}


@pytest.mark.parametrize(("run", "want"), ENDS.values(), ids=ENDS)
def test_the_last_line_says_what_to_do_about_an_end(run: Any, want: str) -> None:
    assert want in lines_of(answer_of(run, None, [], at(2.0).wall))[-1]


def test_each_member_has_a_row_with_the_filters_verdicts() -> None:
    lines = lines_of(answer(make_member("a"), make_member("b"), make_run("o", on="a")))
    rows = [line.split() for line in lines if line.startswith(("MEMBER", "a ", "b "))]
    assert rows == [
        ["MEMBER", "STATE", "READY", "NOT", "EXCLUDED", "LARGE", "ENOUGH", "HAS", "ROOM", "FREE"],
        ["a", "Accepting", "yes", "yes", "yes", "NO", "runs", "0/1"],
        ["b", "Accepting", "yes", "yes", "yes", "yes", "runs", "1/1"],
    ]
    assert "place 1 of 1 that wait for this Runtime" in lines


def test_attempts_losses_and_events_are_told() -> None:
    run = seen("Running", assignedPod="a", attempt=3, losses=2)
    event = {"reason": "Requeued", "message": "lost", "lastTimestamp": "2030", "metadata": {}}
    text = "\n".join(lines_of(answer_of(run, None, [event], at(2.0).wall)))
    assert "on member a, attempt 3, 2 members were lost under it" in text
    assert "Requeued" in text
