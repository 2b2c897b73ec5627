"""One Run on its way through a daemon: filled, started, followed, written, forgotten, once each."""

from datetime import timedelta

import pytest

from kruntimes_core.daemon.instructions import (
    Answered,
    Broken,
    Clear,
    Collect,
    Done,
    Fill,
    Forget,
    Refused,
    Start,
    Unfillable,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.ending import Channel
from kruntimes_core.model.events import Failed, HandedBack, Started, Succeeded
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase
from tests.builders import EPOCH, make_run
from tests.unit.daemon.played import INSTANCE, begin

RUN = make_run(on="a")


def test_a_short_run_takes_five_steps_in_this_order() -> None:
    daemon = begin()
    daemon.sees(RUN)
    assert daemon.told(Fill).run == RUN
    daemon.answers(Fill, Done())
    start = daemon.told(Start)
    assert (start.key, start.instance, start.not_after) == (RUN.key, INSTANCE, 10.0)
    daemon.answers(Start, Answered(daemon.next_snapshot(RUN.key, RunState.RUNNING)))
    assert daemon.is_idle
    ended = daemon.watches(
        RUN,
        RunState.SUCCEEDED,
        exit_code=0,
        outputs={"a": "1"},
        output={"stdout": Channel(3, False, b"hi\n")},
    )
    assert daemon.told(Collect).snapshot == ended
    daemon.answers(Collect, Done())
    event = daemon.told(Write).event
    assert isinstance(event, Succeeded)
    assert (event.ending.exit_code, event.ending.outputs, event.ending.output) == (
        0,
        ended.outputs,
        ended.output,
    )
    daemon.answers(Write, Written("2"))
    assert (daemon.told(Forget).key, daemon.told(Forget).stop) == (RUN.key, False)
    daemon.answers(Forget, Done())
    assert daemon.is_idle
    assert daemon.machine.active == 0


@pytest.mark.parametrize("version", ["1", "2", "10"])
def test_an_attempt_is_accepted_once_however_often_it_is_seen(version: str) -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.sees(make_run(on="a", version=version))
    daemon.told(Fill)
    daemon.answers(Fill, Done())
    daemon.sees(make_run(on="a", version=version + "0"))
    daemon.told(Start)
    daemon.answers(Start, Answered(daemon.next_snapshot(RUN.key, RunState.STARTING)))
    daemon.sees(make_run(on="a", version=version + "00"))
    assert daemon.is_idle


def test_an_older_version_seen_late_changes_nothing() -> None:
    daemon = begin()
    daemon.sees(make_run(on="a", version="5"))
    daemon.sees(make_run(on="a", version="4", cancel_requested=True))
    daemon.answers(Fill, Done())
    daemon.told(Start)


def test_a_run_of_another_pod_is_left_alone() -> None:
    daemon = begin()
    daemon.sees(make_run(on="b"))
    # A Pod of the same name that was there before.
    daemon.sees(make_run("s", on="a", assignment=Assignment("a", "uid-of-a-former-a", "")))
    assert daemon.is_idle


def test_a_run_that_is_over_already_is_left_alone() -> None:
    daemon = begin()
    daemon.sees(make_run(on="a", phase=Phase.SUCCEEDED))
    assert daemon.is_idle


def test_several_runs_are_served_side_by_side() -> None:
    daemon = begin()
    daemon.sees(make_run("r", on="a"), make_run("s", on="a"))
    assert [order.key.uid for order in daemon.open if isinstance(order, Fill)] == ["uid-r", "uid-s"]
    assert daemon.machine.active == 2


@pytest.mark.parametrize("lived", [0.0, 0.1, 0.19])
def test_a_run_that_lived_shorter_than_a_moment_is_never_written_as_running(lived: float) -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.passes(lived)
    assert daemon.is_idle
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.passes(1.0)
    daemon.answers(Collect, Done())
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_a_run_still_alive_after_a_moment_is_written_as_running_once() -> None:
    daemon = begin()
    began, accepted = EPOCH + timedelta(seconds=1), EPOCH
    daemon.starts(RUN, RunState.STARTING)
    daemon.passes(1.0)
    assert daemon.is_idle
    daemon.watches(RUN, RunState.RUNNING, started=began, accepted=accepted)
    daemon.passes(0.2)
    assert daemon.told(Write).event == Started(began, accepted)
    daemon.answers(Write, Written("2"))
    daemon.passes(5.0)
    assert daemon.is_idle


def test_a_run_that_ends_while_running_is_being_written_gets_its_end_next() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.passes(0.2)
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.answers(Collect, Done())
    assert isinstance(daemon.told(Write).event, Started)
    daemon.answers(Write, Written("2"))
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_the_end_may_overtake_the_answer_to_start() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    running = daemon.next_snapshot(RUN.key, RunState.RUNNING)
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.answers(Start, Answered(running))
    daemon.answers(Collect, Done())
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_a_revision_that_goes_back_is_not_believed() -> None:
    daemon = begin()
    daemon.starts(RUN)
    old = daemon.next_snapshot(RUN.key, RunState.FAILED)
    daemon.watches(RUN, RunState.RUNNING)
    daemon.machine.server_run(old, daemon.now)
    daemon.decides()
    assert daemon.is_idle


def test_output_that_cannot_be_collected_does_not_hold_up_the_end() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.answers(Collect, Refused(Code.UNAVAILABLE))
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_a_run_that_cannot_be_filled_fails_and_its_workspace_is_cleared() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Unfillable(Reason.PARAMETERS_INVALID, "'n' is missing"))
    write = daemon.answers(Write, Written("2"))
    assert isinstance(write.event, Failed)
    assert (write.event.ending.reason, write.event.ending.message) == ("ParametersInvalid", "'n' is missing")
    assert daemon.told(Clear).key == RUN.key
    daemon.answers(Clear, Done())
    assert daemon.is_idle


def test_a_run_that_this_member_cannot_fill_goes_elsewhere_in_the_same_attempt() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Broken("no space left on device"))
    event = daemon.told(Write).event
    assert isinstance(event, HandedBack)
    assert (event.reason, event.excluded) == ("WorkspaceFailed", ("a",))


def test_the_next_attempt_given_to_the_same_member_is_another_start() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.ends(RUN)
    daemon.answers(Write, Written("2"))
    daemon.answers(Forget, Done())
    daemon.sees(make_run(on="a", attempt=2, version="4"))
    assert daemon.told(Fill).key.attempt == 2
