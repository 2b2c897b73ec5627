"""Which changes of a Run leave an Event, and which do not."""

import pytest

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import (
    Assigned,
    Cancelled,
    Delivered,
    Event,
    Failed,
    HandedBack,
    Held,
    Requeued,
    Started,
    Succeeded,
    TimedOut,
)
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.notices import Notice, Subject, notice_of
from kruntimes_core.model.reasons import Reason
from tests.builders import at, make_run

NOW = at(0).wall
QUIET: dict[str, Event] = {
    "its wait for room": Held(Reason.NO_ROOM, "m"),
    "its assignment": Assigned(Assignment("a", "u", "i"), NOW),
    "its delivery": Delivered(NOW),
    "its start": Started(NOW),
    "its good end": Succeeded(Ending()),
    "its program's failure": Failed(Ending(Reason.NON_ZERO_EXIT, "exit code 1")),
    "its own time limit": TimedOut(Ending(Reason.TIME_LIMIT)),
    "its user's wish": Cancelled(Ending(Reason.CANCELLED)),
}


@pytest.mark.parametrize("event", QUIET.values(), ids=QUIET)
def test_nothing_is_told_of_the_ordinary_way_of_a_run(event: Event) -> None:
    assert notice_of(make_run(), event) is None


TOLD: dict[str, tuple[Event, tuple[str, str, bool]]] = {
    "that it waits for a member": (Held(Reason.NO_READY_MEMBER, "m"), ("Hold", "NoReadyMember", False)),
    "that it waits for a person": (Held(Reason.NEVER_FITS, "m"), ("Hold", "NeverFits", True)),
    "that a member handed it back": (
        HandedBack(Reason.SERVER_FULL, "m", NOW),
        ("HandBack", "ServerFull", False),
    ),
    "that its member was lost": (
        Requeued(2, 1, Reason.MEMBER_LOST, "m", NOW),
        ("Requeue", "MemberLost", True),
    ),
    "that the system failed it": (
        Failed(Ending(Reason.WORKSPACE_FAILED, "m")),
        ("End", "WorkspaceFailed", True),
    ),
    "that it waited too long": (
        TimedOut(Ending(Reason.QUEUE_TIME_LIMIT, "m")),
        ("End", "QueueTimeLimit", True),
    ),
}


@pytest.mark.parametrize(("event", "want"), TOLD.values(), ids=TOLD)
def test_what_is_worth_knowing_is_told(event: Event, want: tuple[str, str, bool]) -> None:
    action, reason, warning = want
    about = Subject("Run", "default", "r", "uid-r")
    assert notice_of(make_run(), event) == Notice(about, action, reason, "m", warning)


def test_the_last_loss_is_told_as_what_it_is() -> None:
    notice = notice_of(make_run(losses=3), Failed(Ending(Reason.MEMBER_LOST, "m")))
    assert notice is not None
    assert notice.reason == "LossesUsedUp"
