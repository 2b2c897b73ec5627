"""A daemon whose lease was not renewed in time: it starts nothing, writes nothing, stops what runs."""

import pytest

from kruntimes_core.daemon.fence import Fence
from kruntimes_core.daemon.instructions import (
    Answered,
    Cancel,
    Clear,
    Collect,
    Done,
    Fill,
    Forget,
    Handshake,
    Refused,
    Resync,
    Start,
    Superseded,
    TooLate,
    Unwritten,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.events import Cancelled, Delivered, Requeued, Succeeded
from kruntimes_core.model.run import Phase
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin

RUN = make_run(on="a")


def fenced_while_it_runs() -> PlayedDaemon:
    """Return a daemon whose lease is over while its Run runs and is told to stop."""
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.passes(10.0)
    daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING)))
    return daemon


def test_the_fence_is_up_until_a_lease_is_held() -> None:
    daemon = PlayedDaemon()
    assert daemon.machine.fenced
    daemon.renews()
    assert not daemon.machine.fenced


def test_a_lease_counts_from_when_its_renewal_was_sent() -> None:
    daemon = begin()
    daemon.passes(4.0)
    daemon.renews(sent=1.0)
    daemon.passes(6.9)
    assert not daemon.machine.fenced
    daemon.passes(0.1)
    assert daemon.machine.fenced


def test_a_renewal_acknowledged_out_of_order_shortens_nothing() -> None:
    fence = Fence(10.0)
    fence.renewed(5.0)
    fence.renewed(1.0)
    assert fence.until == 15.0


def test_a_renewal_so_slow_that_its_lease_is_over_already_does_not_lower_the_fence() -> None:
    daemon = begin()
    daemon.passes(21.0)
    daemon.renews(sent=11.0)
    assert daemon.machine.fenced


@pytest.mark.parametrize("seconds", [10.0, 100.0])
def test_behind_the_fence_nothing_is_filled_or_started(seconds: float) -> None:
    daemon = begin()
    daemon.passes(seconds)
    daemon.sees(RUN)
    daemon.passes(5.0)
    assert daemon.is_idle


def test_what_was_filled_before_the_fence_is_not_started_behind_it() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.passes(10.0)
    daemon.answers(Fill, Done())
    assert daemon.is_idle


def test_an_end_seen_behind_the_fence_is_not_written() -> None:
    daemon = fenced_while_it_runs()
    daemon.ends(RUN, RunState.SUCCEEDED)
    daemon.passes(30.0)
    assert daemon.is_idle


def test_a_write_that_failed_is_not_repeated_behind_the_fence() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.ends(RUN)
    daemon.sleeps(10.0)
    daemon.answers(Write, Unwritten("the API did not answer"))
    daemon.passes(30.0)
    assert daemon.is_idle


def test_what_runs_is_told_to_stop_when_the_lease_is_over() -> None:
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.passes(9.9)
    assert daemon.is_idle
    daemon.passes(0.1)
    order = daemon.told(Cancel)
    assert (order.key, order.grace, order.reason) == (RUN.key, 2.0, "DAEMON_LOST")


def test_a_stop_behind_the_fence_is_repeated_until_its_server_has_it() -> None:
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.passes(10.0)
    daemon.answers(Cancel, Refused(Code.UNAVAILABLE))
    daemon.passes(0.1)
    daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING)))
    daemon.passes(30.0)
    assert daemon.is_idle


def test_a_start_that_came_through_just_before_the_fence_is_stopped_behind_it() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.passes(10.0)
    daemon.answers(Start, Answered(daemon.next_snapshot(RUN.key, RunState.STARTING)))
    assert daemon.told(Cancel).reason == "DAEMON_LOST"


def test_back_on_this_side_it_first_lists_its_runs() -> None:
    daemon = begin()
    daemon.passes(12.0)
    assert daemon.is_idle  # a list from now could be overtaken
    daemon.renews()
    assert daemon.open == [Resync()]


def test_a_run_stopped_by_the_fence_is_lost_once_the_lease_is_held_again() -> None:
    daemon = fenced_while_it_runs()
    daemon.ends(RUN, RunState.CANCELLED, reason="DAEMON_LOST")
    daemon.renews()
    event = daemon.one(Write).event
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses, event.reason) == (2, 1, "DaemonLost")


def test_a_cancelled_run_stopped_by_the_fence_is_cancelled() -> None:
    daemon = fenced_while_it_runs()
    daemon.sees(make_run(on="a", version="2", cancel_requested=True))
    daemon.ends(RUN, RunState.CANCELLED, reason="DAEMON_LOST")
    daemon.renews()
    assert isinstance(daemon.one(Write).event, Cancelled)


def test_a_program_that_ended_by_itself_behind_the_fence_is_written_when_the_lease_is_held_again() -> None:
    daemon = fenced_while_it_runs()
    daemon.ends(RUN, RunState.SUCCEEDED)
    daemon.renews()
    assert isinstance(daemon.one(Write).event, Succeeded)
    daemon.answers(Write, Superseded())
    assert not daemon.has(Forget)  # whose it is, the list tells
    daemon.lists()
    daemon.told(Forget)


def test_a_run_taken_away_behind_the_fence_is_ended_after_the_list() -> None:
    daemon = begin(default_grace=2.0)
    daemon.starts(make_run(on="a", grace=2.0), RunState.STARTING)
    daemon.passes(10.0)
    daemon.answers(Cancel, Answered(daemon.next_snapshot(RUN.key, RunState.STOPPING)))
    daemon.renews()
    daemon.misses(RUN)
    assert daemon.open == [Resync()]
    daemon.lists()
    assert daemon.is_idle  # it was told to stop already, and has its grace
    daemon.passes(3.0)
    assert daemon.told(Forget).stop


def test_a_run_not_yet_started_is_claimed_before_it_is_started_after_all() -> None:
    daemon = begin()
    daemon.passes(6.0)
    daemon.renews()
    daemon.sees(make_run(on="a", assigned=daemon.now.wall))
    daemon.passes(10.0)
    daemon.answers(Fill, Done())
    daemon.renews()
    daemon.lists()
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    assert daemon.told(Start).not_after == 26.0


def test_a_claim_sent_before_the_fence_and_acknowledged_after_it_does_not_count() -> None:
    daemon = begin()
    daemon.sees(make_run(on="a", assigned=None))
    daemon.passes(10.0)
    daemon.renews()
    daemon.lists()
    daemon.answers(Write, Written("2"))
    assert isinstance(daemon.told(Write).event, Delivered)


def test_a_run_taken_away_behind_the_fence_is_never_started() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.passes(10.0)
    daemon.answers(Fill, Done())
    daemon.renews()
    daemon.misses(RUN)
    daemon.lists()
    daemon.answers(Write, Superseded())
    daemon.answers(Clear, Done())
    assert daemon.is_idle


def test_a_start_not_made_because_of_the_fence_is_claimed_and_made_after_it() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.answers(Fill, Done())
    daemon.passes(10.0)
    daemon.answers(Start, TooLate())
    assert daemon.is_idle
    daemon.renews()
    daemon.lists()
    daemon.answers(Write, Written("2"))
    daemon.told(Start)


def test_a_process_that_stood_still_past_its_lease_notices_though_a_renewal_came_first() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.sleeps(60.0)
    daemon.renews()
    assert not daemon.machine.fenced
    assert daemon.has(Resync)
    daemon.answers(Fill, Done())
    assert not daemon.has(Start)
    daemon.lists()
    assert isinstance(daemon.told(Write).event, Delivered)


def test_its_server_is_found_again_behind_the_fence_so_that_it_can_be_told_to_stop() -> None:
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.passes(10.0)
    daemon.answers(Cancel, Refused(Code.UNAVAILABLE))
    daemon.loses_server()
    daemon.passes(1.0)
    assert daemon.open == [Handshake()]
    daemon.shakes_hands()
    daemon.told(Cancel)


def test_a_list_that_began_before_the_fence_is_made_again() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.shakes_hands()
    daemon.finds()
    daemon.passes(10.0)
    daemon.renews()
    daemon.lists()
    assert daemon.open == [Resync()]
    daemon.lists(RUN)
    daemon.answers(Write, Written("2"))
    daemon.told(Fill)


def test_a_run_already_written_as_running_needs_no_claim() -> None:
    daemon = begin([make_run(on="a", phase=Phase.RUNNING)], [])
    assert not daemon.has(Write)
    assert not daemon.has(Collect)
