"""After a daemon, its server or its view of both was gone: what is done with each Run."""

import pytest

from kruntimes_core.daemon.instructions import (
    Answered,
    Cancel,
    Collect,
    Done,
    Fill,
    Forget,
    Look,
    Refused,
    Start,
    Superseded,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.events import Delivered, Failed, HandedBack, Requeued, Started, Succeeded
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.run import Phase
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin, make_snapshot, make_status

RUN = make_run(on="a")
RUNNING = make_run(on="a", phase=Phase.RUNNING)


def restarted(*, running: bool = True) -> PlayedDaemon:
    """Return a daemon whose Run was in its server when the server came back as another process."""
    daemon = begin()
    daemon.starts(RUN)
    if running:
        daemon.passes(0.2)
        daemon.answers(Write, Written("2"))
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands(make_status("instance-next"))
    return daemon


# A daemon that was restarted: the table of what its server lists.


def test_a_run_of_its_own_is_adopted() -> None:
    daemon = begin([RUNNING], [make_snapshot(RUN.key, RunState.RUNNING, 0)])
    daemon.passes(5.0)
    assert daemon.is_idle
    daemon.ends(RUN)
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_an_adopted_run_not_yet_written_as_running_is_written_so() -> None:
    daemon = begin([RUN], [make_snapshot(RUN.key, RunState.RUNNING)])
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    assert daemon.is_idle
    daemon.passes(0.2)
    assert isinstance(daemon.told(Write).event, Started)


def test_a_run_that_ended_while_no_daemon_looked_is_finished() -> None:
    daemon = begin([RUNNING], [make_snapshot(RUN.key, RunState.SUCCEEDED)])
    daemon.answers(Collect, Done())
    daemon.answers(Write, Written("2"))
    assert not daemon.told(Forget).stop


def test_a_run_that_was_written_already_is_forgotten() -> None:
    over = make_run(on="a", phase=Phase.SUCCEEDED)
    daemon = begin([over], [make_snapshot(RUN.key, RunState.SUCCEEDED)])
    order = daemon.told(Forget)
    assert (order.key, order.stop) == (RUN.key, False)


def test_a_run_terminal_in_the_api_alone_is_stopped_and_forgotten() -> None:
    over = make_run(on="a", phase=Phase.FAILED)
    daemon = begin([over], [make_snapshot(RUN.key, RunState.RUNNING)])
    assert daemon.told(Forget).stop


def test_a_lower_attempt_is_stopped_before_the_higher_one_is_filled() -> None:
    daemon = begin([make_run(on="a", attempt=2)], [make_snapshot(RUN.key, RunState.RUNNING)])
    orders = {type(order): order for order in daemon.open}
    assert Fill not in orders
    forget = daemon.answers(Forget, Done())
    assert (forget.key, forget.stop) == (RUN.key, True)


@pytest.mark.parametrize("known", [False, True], ids=["gone", "another uid"])
def test_a_run_that_is_gone_is_stopped_and_forgotten(known: bool) -> None:
    others = [make_run(on="a", uid="another", phase=Phase.SUCCEEDED)] if known else []
    daemon = begin(others, [make_snapshot(RUN.key, RunState.RUNNING)], default_grace=5.0)
    assert daemon.answers(Cancel, Answered(make_snapshot(RUN.key, RunState.STOPPING, 2))).grace is None
    daemon.passes(5.9)
    assert daemon.is_idle
    daemon.passes(0.1)
    assert daemon.told(Forget).stop


def test_while_the_api_cannot_be_read_nothing_is_ended() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.shakes_hands()
    daemon.finds(
        make_snapshot(RUN.key, RunState.RUNNING), make_snapshot(RunKey("other", 1), RunState.SUCCEEDED)
    )
    daemon.passes(9.0)
    assert not daemon.has(Forget)
    assert not daemon.has(Cancel)


def test_a_run_that_its_server_surely_never_had_is_claimed_and_then_started() -> None:
    daemon = begin([RUN])
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    daemon.answers(Fill, Done())
    daemon.told(Start)


def test_a_claim_that_came_too_late_is_let_go_of() -> None:
    daemon = begin([RUN])
    daemon.answers(Write, Superseded())
    daemon.passes(9.0)
    assert daemon.is_idle


def test_a_running_run_that_its_server_does_not_know_is_lost() -> None:
    daemon = begin([RUNNING])
    daemon.answers(Look, Refused(Code.NOT_FOUND))
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses, event.reason) == (2, 1, "ServerLost")


def test_a_run_of_another_instance_is_lost() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.lists(RUN)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    assert isinstance(daemon.answers(Write, Written("2")).event, Delivered)
    assert isinstance(daemon.told(Write).event, Requeued)


# A server that was restarted.


def test_runs_of_a_restarted_server_get_their_next_attempt_as_a_loss() -> None:
    daemon = restarted()
    assert daemon.is_idle
    daemon.finds()
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    assert (event.attempt, event.losses, event.reason) == (2, 1, "ServerLost")
    daemon.answers(Write, Written("3"))
    assert daemon.is_idle


def test_the_fourth_loss_is_not_made_good() -> None:
    daemon = begin([make_run(on="a", phase=Phase.RUNNING, attempt=4, losses=3)])
    daemon.answers(Look, Refused(Code.NOT_FOUND))
    event = daemon.told(Write).event
    assert isinstance(event, Failed)
    assert (event.ending.reason, "loss 4" in event.ending.message) == ("ServerLost", True)


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_each_loss_waits_longer_than_the_one_before(losses: int) -> None:
    daemon = begin([make_run(on="a", phase=Phase.RUNNING, attempt=losses + 1, losses=losses)])
    daemon.answers(Look, Refused(Code.NOT_FOUND))
    event = daemon.told(Write).event
    assert isinstance(event, Requeued)
    waits = (event.not_before - daemon.now.wall).total_seconds() if event.not_before else 0.0
    assert waits == (0.0, 1.0, 4.0)[losses]


def test_a_run_not_yet_started_goes_to_the_new_server_in_the_same_attempt() -> None:
    daemon = begin()
    daemon.sees(RUN)
    daemon.loses_server()
    daemon.answers(Fill, Done())
    daemon.passes(0.1)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    start = daemon.told(Start)
    assert (start.key.attempt, start.instance) == (1, "instance-next")


def test_an_end_that_was_seen_outlives_the_server_that_told_it() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.watches(RUN, RunState.SUCCEEDED)
    daemon.answers(Collect, Done())
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    assert isinstance(daemon.told(Write).event, Succeeded)


def test_a_watch_that_broke_changes_nothing_for_a_run_that_is_still_there() -> None:
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands()
    daemon.finds(daemon.next_snapshot(RUN.key, RunState.STARTING))
    daemon.passes(3.0)
    assert daemon.is_idle


def test_a_run_missing_after_a_watch_broke_is_looked_for_before_it_counts_as_lost() -> None:
    daemon = begin()
    daemon.starts(RUN, RunState.STARTING)
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands()
    daemon.finds()
    daemon.answers(Look, Refused(Code.DEADLINE_EXCEEDED))
    daemon.passes(0.1)
    daemon.answers(Look, Refused(Code.NOT_FOUND))
    assert isinstance(daemon.told(Write).event, Requeued)


def test_a_run_missing_after_a_watch_broke_is_looked_for_though_its_object_came_late() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.shakes_hands()
    daemon.finds(make_snapshot(RUN.key, RunState.RUNNING))
    daemon.loses_server()
    daemon.passes(0.1)
    daemon.shakes_hands()
    daemon.lists(RUNNING)
    daemon.finds()
    assert daemon.has(Look)


def test_runs_not_started_go_back_when_their_server_stays_away() -> None:
    daemon = begin(patience=3.0)
    daemon.loses_server()
    daemon.sees(make_run("s", on="a"))
    daemon.passes(2.9)
    assert not daemon.has(Write)
    daemon.passes(0.1)
    write = daemon.one(Write)
    assert isinstance(write.event, HandedBack)
    assert (write.key.uid, write.event.reason) == ("uid-s", "NotReady")
