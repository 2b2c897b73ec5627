"""Before a daemon does anything for a Run, it has seen the API, its lease and its server."""

from kruntimes_core.daemon.instructions import Fill, Handshake, Resync
from kruntimes_core.daemon.machine import Announcement
from kruntimes_core.model.runtime import AcceptState
from tests.builders import make_run
from tests.unit.daemon.played import INSTANCE, PlayedDaemon, begin, make_status


def test_it_first_asks_for_its_runs() -> None:
    assert PlayedDaemon().open == [Resync()]


def test_it_shakes_hands_once_it_holds_its_lease() -> None:
    daemon = PlayedDaemon()
    daemon.lists()
    assert daemon.is_idle
    daemon.renews()
    daemon.told(Handshake)


def test_nothing_is_asked_twice_while_it_is_under_way() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.passes(3.0)
    assert daemon.open == [Resync(), Handshake()]


def test_no_run_is_touched_before_both_lists_are_whole() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.sees(make_run(on="a"))
    daemon.shakes_hands()
    daemon.finds()
    assert not daemon.has(Fill)
    daemon.lists()
    assert not daemon.has(Resync)


def test_no_run_is_touched_before_the_servers_list_is_whole() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.lists()
    daemon.shakes_hands()
    daemon.sees(make_run(on="a"))
    assert daemon.is_idle
    daemon.finds()
    daemon.told(Fill)


def test_a_failed_handshake_is_repeated_less_and_less_often() -> None:
    daemon = PlayedDaemon()
    daemon.renews()
    daemon.lists()
    pauses = []
    for _ in range(6):
        began = daemon.now.monotonic
        daemon.loses_server()
        assert daemon.is_idle
        due = daemon.machine.wake_at()
        assert due is not None
        pauses.append(round(due - began, 3))
        daemon.passes(due - began)
        assert daemon.open == [Handshake()]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_it_announces_its_server_only_once_it_knows_all_its_runs() -> None:
    daemon = PlayedDaemon()
    assert daemon.machine.announcement == Announcement()
    daemon.renews()
    daemon.lists()
    daemon.shakes_hands()
    assert daemon.machine.announcement == Announcement(capacity={"runs": 4})
    daemon.finds()
    assert daemon.machine.announcement == Announcement(INSTANCE, AcceptState.ACCEPTING, {"runs": 4})
    daemon.loses_server()
    assert daemon.machine.announcement == Announcement(capacity={"runs": 4})


def test_a_status_of_a_server_it_did_not_shake_hands_with_counts_for_nothing() -> None:
    daemon = begin()
    daemon.machine.server_status(make_status("instance-other", AcceptState.DRAINING), daemon.now)
    daemon.decides()
    assert daemon.machine.announcement.accept_state is AcceptState.ACCEPTING
