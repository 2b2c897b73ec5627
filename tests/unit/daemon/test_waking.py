"""When a daemon's machine wants to be asked though nothing happened; every played test checks the rest."""

from kruntimes_core.daemon.instructions import Cancel, Done, Fill, Handshake, Refused, Start, Write, Written
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.runtime import AcceptState
from tests.builders import make_run
from tests.unit.daemon.played import PlayedDaemon, begin, make_snapshot

RUN = make_run(on="a")


def test_without_a_lease_there_is_nothing_to_wake_up_for() -> None:
    assert PlayedDaemon().machine.wake_at() is None


def test_an_idle_daemon_wakes_when_its_lease_would_be_over() -> None:
    daemon = begin()
    assert daemon.machine.wake_at() == 10.0
    daemon.passes(3.0)
    daemon.renews()
    assert daemon.machine.wake_at() == 13.0


def test_behind_the_fence_an_idle_daemon_sleeps() -> None:
    daemon = begin()
    daemon.passes(10.0)
    assert daemon.machine.wake_at() is None


def test_news_that_nobody_has_looked_at_yet_are_due_at_once() -> None:
    daemon = begin()
    daemon.machine.run_changed(RUN, daemon.now)
    assert daemon.machine.wake_at() == float("-inf")


def test_it_wakes_to_write_that_a_run_is_running() -> None:
    daemon = begin(running_after=0.5)
    daemon.starts(RUN)
    assert daemon.machine.wake_at() == 0.5


def starting_two() -> tuple[PlayedDaemon, Start, Start]:
    """Return a daemon that is about to start two Runs."""
    daemon = begin()
    daemon.sees(RUN, make_run("s", on="a"))
    for order in list(daemon.open):
        assert isinstance(order, Fill)
        daemon.settles(order, Done())
    first, second = daemon.open
    assert isinstance(first, Start)
    assert isinstance(second, Start)
    return daemon, first, second


def test_it_wakes_for_the_earliest_of_several_runs() -> None:
    daemon, first, second = starting_two()
    daemon.settles(first, Refused(Code.RESOURCE_EXHAUSTED))
    daemon.passes(0.05)
    daemon.settles(second, Refused(Code.RESOURCE_EXHAUSTED))
    assert daemon.machine.wake_at() == 0.1


def test_it_wakes_to_shake_hands_again() -> None:
    daemon = begin()
    daemon.loses_server()
    assert daemon.machine.wake_at() == 0.1
    daemon.passes(0.1)
    assert daemon.open == [Handshake()]
    assert daemon.machine.wake_at() == 10.0


def test_a_run_that_a_daemon_left_behind_wakes_it_when_its_grace_is_over() -> None:
    daemon = begin([], [make_snapshot(RUN.key, RunState.RUNNING)], default_grace=3.0)
    daemon.answers(Cancel, Refused(Code.UNIMPLEMENTED))
    daemon.passes(0.1)
    assert daemon.has(Cancel)
    assert daemon.machine.wake_at() == 4.0


def test_a_server_that_drains_hands_back_what_was_not_started() -> None:
    daemon = begin()
    daemon.hears(AcceptState.DRAINING)
    daemon.sees(RUN)
    assert daemon.answers(Write, Written("2")).key == RUN.key


def test_a_saturated_server_is_no_obstacle() -> None:
    daemon = begin()
    daemon.hears(AcceptState.SATURATED)
    daemon.sees(RUN)
    daemon.told(Fill)
