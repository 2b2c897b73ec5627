"""The conversation with the server: begun by a handshake, kept by Watch or by lists, silent when fenced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1 import types_pb2 as types
from kruntimes.runtime.v1.status_pb2 import ServerStatus as WireStatus

from kruntimes_core.apps.daemon.container_log import ContainerLog
from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.apps.daemon.preparation import Preparation
from kruntimes_core.apps.daemon.session import Session
from kruntimes_core.apps.daemon.settings import Settings
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.machine import Daemon, Seat
from kruntimes_core.daemon.server import ServerRun, ServerStatus
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant
from kruntimes_core.workspaces import Workspaces
from tests.unit.scripted_server import ScriptedServer


class Listening(Daemon):
    """A machine that only notes what it is told of the server, and is fenced if the test says so."""

    def __init__(self, fenced: bool) -> None:
        self.heard: list[str] = []
        self.news = asyncio.Event()
        self.is_fenced = fenced
        self.asked = 0

    @property
    def fenced(self) -> bool:
        self.asked += 1
        self.news.set()
        return self.is_fenced

    def handshaken(self, status: ServerStatus, now: Instant) -> None:
        self.note(f"hello {status.instance}")

    def server_lost(self, now: Instant) -> None:
        self.note("lost")

    def server_status(self, status: ServerStatus, now: Instant) -> None:
        self.note("status")

    def server_run(self, snapshot: ServerRun, now: Instant) -> None:
        self.note(f"run {snapshot.revision}")

    def server_forgot(self, key: RunKey, now: Instant) -> None:
        self.note("forgot")

    def server_synced(self, now: Instant) -> None:
        self.note("synced")

    def note(self, what: str) -> None:
        self.heard.append(what)
        self.news.set()

    async def until_asked(self, times: int) -> None:
        """Wait until somebody wanted to know so often whether it is fenced."""
        async with asyncio.timeout(5):
            while self.asked < times:
                self.news.clear()
                await self.news.wait()

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.heard.count(what) < times:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def talking(
    directory: Path, server: ScriptedServer, fenced: bool = False, lease: float = 15.0
) -> AsyncIterator[tuple[Session, Listening]]:
    machine = Listening(fenced)
    seat = Seat("default", "pod", "pod-uid", "fake")
    settings = Settings(seat, "", "", "", '{"a":1}', {"runs": 4}, lease, 30.0)
    preparation = Preparation(Workspaces(str(directory / "workspaces")))
    server.answers.setdefault("GetServerStatus", [wire.GetServerStatusResponse()])
    async with server.serving(directory) as client, asyncio.TaskGroup() as group:
        outputs = Outputs(client, ContainerLog(-1))  # nothing is written here
        session = Session(client, settings, Driver(machine, SystemClock()), preparation, outputs)
        task = group.create_task(session.run())
        session.wanted.set()
        yield session, machine
        task.cancel()
    preparation.close()


def welcome(*, watch: bool, schema: str = "") -> wire.HandshakeResponse:
    found = wire.HandshakeResponse(status=WireStatus(instance_id="i"), parameters_schema=schema)
    if watch:
        found.capabilities.watch.SetInParent()
    return found


def run(revision: int) -> types.Run:
    return types.Run(key=types.RunKey(run_uid="u", attempt=1), revision=revision)


async def test_the_server_is_told_who_calls_and_what_it_may_use(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True)]
    server.holds_streams = True
    async with talking(tmp_path, server) as (_, machine):
        await machine.until("hello i")

    hello = server.asked[0][1]
    assert (hello.runtime, hello.config_json, dict(hello.capacity)) == ("fake", '{"a":1}', {"runs": 4})
    assert hello.daemon_timeout.ToMilliseconds() == 6000
    assert hello.client.startswith("kruntimes-daemon/")


async def test_what_watch_tells_is_handed_in_until_it_breaks(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True)]
    server.answers["Watch"] = [
        wire.WatchResponse(run=run(1)),
        wire.WatchResponse(snapshot_end=wire.SnapshotEnd()),
    ]
    async with talking(tmp_path, server) as (session, machine):
        await machine.until("lost")
        assert [word for word in machine.heard if word != "status"] == ["hello i", "run 1", "synced", "lost"]

        session.wanted.set()
        await machine.until("lost", times=2)

    assert server.count("Handshake") == 2


async def test_a_server_without_watch_is_asked_again_and_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=False)]
    server.answers["ListRuns"] = [wire.ListRunsResponse(runs=[run(n)]) for n in (1, 1, 2)] + [
        wire.ListRunsResponse()
    ]
    async with talking(tmp_path, server) as (_, machine):
        await machine.until("forgot")

    told = [word for word in machine.heard if word not in ("status", "synced")]
    assert told == ["hello i", "run 1", "run 2", "forgot"]


async def test_a_server_that_refuses_the_handshake_is_lost(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [grpc.StatusCode.FAILED_PRECONDITION]
    async with talking(tmp_path, server) as (_, machine):
        await machine.until("lost")

    assert machine.heard == ["lost"]


async def test_a_server_with_a_schema_that_cannot_be_used_is_lost(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True, schema='{"type": "nonsense"}')]
    async with talking(tmp_path, server) as (_, machine):
        await machine.until("lost")

    assert machine.heard == ["lost"]


async def test_signs_of_life_go_on_while_nothing_happens(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True)]
    server.holds_streams = True
    async with talking(tmp_path, server, lease=0.3) as (_, machine):
        await machine.until("status", times=3)


async def test_a_fenced_daemon_gives_no_sign_of_life(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True)]
    server.holds_streams = True
    async with talking(tmp_path, server, fenced=True, lease=0.03) as (_, machine):
        await machine.until_asked(5)
        assert server.count("GetServerStatus") == 0

        machine.is_fenced = False
        await machine.until("status")


async def test_a_session_that_breaks_off_is_lost_for_an_answer_that_fails(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers["Handshake"] = [welcome(watch=True)]
    server.answers["GetServerStatus"] = [grpc.StatusCode.UNAVAILABLE]
    server.holds_streams = True
    async with talking(tmp_path, server) as (_, machine):
        await machine.until("lost")
