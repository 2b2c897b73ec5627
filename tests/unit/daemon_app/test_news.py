"""News of the server: handed in as they come, and what a list shows that Watch did not tell is counted."""

from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1 import status_pb2 as statuses
from kruntimes.runtime.v1 import types_pb2 as types

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.news import ServerNews
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.machine import Daemon
from kruntimes_core.daemon.server import ServerRun, ServerStatus
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant


class Listening(Daemon):
    """A machine that only notes what it is told of the server."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def handshaken(self, status: ServerStatus, now: Instant) -> None:
        self.heard.append(f"hello {status.instance} {status.accept_state}")

    def server_status(self, status: ServerStatus, now: Instant) -> None:
        self.heard.append(f"server {status.accept_state}")

    def server_run(self, snapshot: ServerRun, now: Instant) -> None:
        self.heard.append(f"run {snapshot.key.uid} {snapshot.revision}")

    def server_forgot(self, key: RunKey, now: Instant) -> None:
        self.heard.append(f"forgot {key.uid}")

    def server_synced(self, now: Instant) -> None:
        self.heard.append("synced")


def run(uid: str, revision: int) -> types.Run:
    return types.Run(key=types.RunKey(run_uid=uid, attempt=1), revision=revision)


def make() -> tuple[ServerNews, Listening]:
    machine = Listening()
    news = ServerNews(Driver(machine, SystemClock()))
    news.greet(statuses.ServerStatus(instance_id="i", accept_state=statuses.ACCEPT_STATE_ACCEPTING))
    assert machine.heard == ["hello i Accepting"]
    machine.heard.clear()
    return news, machine


def test_a_watch_is_handed_in_event_by_event() -> None:
    news, machine = make()
    events = [
        wire.WatchResponse(server=statuses.ServerStatus(accept_state=statuses.ACCEPT_STATE_SATURATED)),
        wire.WatchResponse(run=run("a", 1)),
        wire.WatchResponse(snapshot_end=wire.SnapshotEnd(runs=1)),
        wire.WatchResponse(heartbeat=wire.Heartbeat()),
        wire.WatchResponse(),
        wire.WatchResponse(forgotten=types.RunKey(run_uid="a", attempt=1)),
    ]

    for event in events:
        news.take_event(event)

    assert machine.heard == ["server Saturated", "run a 1", "synced", "forgot a"]
    assert news.whole.is_set()


def test_a_list_is_handed_in_as_changes() -> None:
    news, machine = make()

    assert news.take_list([run("a", 1), run("b", 1)])
    assert news.take_list([run("b", 2)])
    assert not news.take_list([run("b", 2)])

    assert machine.heard == ["run a 1", "run b 1", "synced", "forgot a", "run b 2", "synced", "synced"]
    assert news.keys == {RunKey("b", 1)}


def test_what_watch_tells_a_little_later_was_not_missed() -> None:
    news, _ = make()
    news.take_event(wire.WatchResponse(run=run("a", 1)))

    found = news.find_news([run("a", 2), run("b", 1)])
    assert found == {(RunKey("a", 1), 2), (RunKey("b", 1), 1)}

    news.take_event(wire.WatchResponse(run=run("a", 3)))
    news.count_missed(found)
    assert news.missed == 1


def test_a_daemon_that_leaves_counts_its_server_as_draining() -> None:
    news, machine = make()

    news.leave()
    news.take_status(statuses.ServerStatus(accept_state=statuses.ACCEPT_STATE_ACCEPTING))

    assert machine.heard == ["server Draining", "server Draining"]


def test_revisions_of_another_process_do_not_count() -> None:
    news, _ = make()
    news.take_event(wire.WatchResponse(run=run("a", 9)))

    news.greet(statuses.ServerStatus(instance_id="j"))

    assert news.keys == frozenset()
    assert news.find_news([run("a", 1)])
