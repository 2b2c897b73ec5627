"""A Run whose user wants it to end, by cancelling or by deleting it."""

import pytest

from kruntimes_core.daemon.instructions import (
    Answered,
    Cancel,
    Clear,
    Collect,
    Done,
    Fill,
    Forget,
    Refused,
    Start,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.events import Cancelled, Delivered, Succeeded
from kruntimes_core.model.run import Run
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin, make_snapshot

RUN = make_run(on="a")
UNWANTED = make_run(on="a", version="2", cancel_requested=True)
FATES = {"cancelled": UNWANTED, "being deleted": make_run(on="a", version="2", deleting=True)}


def started(run: Run = RUN) -> PlayedDaemon:
    daemon = begin()
    daemon.starts(run, RunState.STARTING)
    return daemon


@pytest.mark.parametrize("unwanted", FATES.values(), ids=FATES)
def test_a_run_in_its_server_is_cancelled_once_with_the_grace_of_its_spec(unwanted: Run) -> None:
    daemon = started()
    daemon.sees(unwanted)
    order = daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING)))
    assert (order.key, order.grace, order.reason) == (RUN.key, None, "CANCELLED")
    daemon.passes(9.0)
    assert daemon.is_idle
    daemon.ends(RUN, RunState.CANCELLED, exit_code=143)
    event = daemon.answers(Write, Written("3")).event
    assert isinstance(event, Cancelled)
    assert (event.ending.reason, event.ending.exit_code) == ("Cancelled", 143)
    daemon.told(Forget)


def test_a_program_that_ended_before_the_stop_reached_it_keeps_its_own_end() -> None:
    daemon = started()
    daemon.sees(UNWANTED)
    daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.SUCCEEDED, exit_code=0)))
    daemon.answers(Collect, Done())
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_a_cancel_that_did_not_arrive_is_repeated() -> None:
    daemon = started()
    daemon.sees(UNWANTED)
    daemon.answers(Cancel, Refused(Code.UNAVAILABLE))
    daemon.passes(0.1)
    daemon.told(Cancel)


def test_a_cancelled_run_that_its_server_does_not_know_is_cancelled() -> None:
    daemon = started()
    daemon.sees(UNWANTED)
    daemon.answers(Cancel, Refused(Code.NOT_FOUND))
    assert isinstance(daemon.told(Write).event, Cancelled)


def test_a_run_cancelled_before_it_is_filled_never_reaches_its_server() -> None:
    daemon = begin()
    daemon.sees(UNWANTED)
    assert isinstance(daemon.answers(Write, Written("3")).event, Cancelled)
    assert daemon.is_idle


def test_a_run_cancelled_while_it_is_filled_is_not_started() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.sees(UNWANTED)
    daemon.answers(Fill, Done())
    assert isinstance(daemon.answers(Write, Written("3")).event, Cancelled)
    assert daemon.told(Clear).key == RUN.key


def test_a_run_cancelled_while_it_is_started_is_cancelled_in_its_server() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.sees(UNWANTED)
    daemon.answers(Start, Answered(daemon.next_snapshot(RUN.key, RunState.RUNNING)))
    daemon.told(Cancel)


def test_a_run_cancelled_before_its_absent_server_came_back_does_not_wait_for_it() -> None:
    daemon = begin()
    daemon.loses_server()
    daemon.sees(UNWANTED)
    assert isinstance(daemon.told(Write).event, Cancelled)


def test_a_cancelled_run_that_may_have_been_started_is_stopped_first() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.answers(Start, Refused(Code.DEADLINE_EXCEEDED))
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    daemon.sees(make_run(on="a", version="3", cancel_requested=True))
    daemon.passes(0.1)
    assert daemon.answers(Forget, Done()).stop
    assert isinstance(daemon.told(Write).event, Cancelled)


def test_a_cancelled_run_that_a_daemon_before_may_have_started_is_stopped_first() -> None:
    daemon = begin([UNWANTED])
    daemon.answers(Write, Written("3"))
    assert daemon.answers(Forget, Done()).stop
    assert isinstance(daemon.told(Write).event, Cancelled)


def test_a_deleted_run_is_stopped_politely_then_hard_and_nothing_is_written() -> None:
    daemon = started(make_run(on="a", grace=4.0))
    daemon.misses(RUN)
    assert daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING))).grace is None
    daemon.passes(4.9)
    assert daemon.is_idle
    daemon.passes(0.1)
    assert daemon.answers(Forget, Done()).stop
    assert daemon.is_idle
    assert daemon.machine.active == 0


def test_a_deleted_run_that_ends_in_time_is_only_forgotten() -> None:
    daemon = started()
    daemon.misses(RUN)
    daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING)))
    daemon.watches(RUN, RunState.CANCELLED)
    assert not daemon.told(Forget).stop


def test_a_run_deleted_while_it_is_started_is_stopped_when_the_answer_is_there() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.misses(RUN)
    daemon.answers(Start, Answered(daemon.next_snapshot(RUN.key, RunState.RUNNING)))
    daemon.told(Cancel)


def test_a_run_deleted_while_it_may_have_been_started_is_stopped_all_the_same() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.misses(RUN)
    daemon.answers(Start, Refused(Code.DEADLINE_EXCEEDED))
    kinds = []
    while daemon.open:
        order = daemon.open[0]
        assert isinstance(order, Cancel | Clear)
        kinds.append(type(order))
        daemon.answers(type(order), Done() if isinstance(order, Clear) else Refused(Code.NOT_FOUND))
    assert Cancel in kinds
    assert daemon.machine.active == 0


def test_a_run_deleted_while_it_may_have_been_started_is_stopped_before_its_workspace_goes() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.misses(RUN)
    daemon.answers(Start, Refused(Code.DEADLINE_EXCEEDED))
    daemon.told(Cancel)


def test_a_run_deleted_before_it_was_started_leaves_no_workspace() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.misses(RUN)
    daemon.answers(Fill, Done())
    assert daemon.answers(Clear, Done()).key == RUN.key
    assert daemon.is_idle


def test_a_run_deleted_while_its_end_is_being_written_is_forgotten() -> None:
    daemon = started()
    daemon.ends(RUN)
    daemon.misses(RUN)
    assert [type(order) for order in daemon.open] == [Write, Forget]


def test_a_deleted_run_made_anew_under_its_name_is_another_run() -> None:
    daemon = started()
    daemon.misses(RUN)
    again = make_run(on="a", uid="uid-of-the-next", version="3")
    daemon.sees(again)
    assert daemon.one(Cancel).key == RUN.key
    assert daemon.one(Fill).key == again.key


def test_a_run_stopped_for_good_leaves_nothing_to_wake_up_for() -> None:
    daemon = begin([], [make_snapshot(RUN.key, RunState.CANCELLED)])
    daemon.answers(Forget, Done())
    assert daemon.machine.wake_at() == 10.0  # when the lease is over
