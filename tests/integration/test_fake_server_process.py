"""The fake server as a process: socket, token, health, signals, what is left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.server import Place

from tests.integration.fake_server import own_place, refused
from tests.runtime_client import TOKEN, WAIT_SECONDS, Client, eventually

pytestmark = pytest.mark.integration

SERVICE = "kruntimes.runtime.v1.RuntimeService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CALLS = {
    "Handshake": rpc.HandshakeRequest(),
    "GetServerStatus": rpc.GetServerStatusRequest(),
    "StartRun": rpc.StartRunRequest(),
    "GetRun": rpc.GetRunRequest(),
    "ListRuns": rpc.ListRunsRequest(),
    "CancelRun": rpc.CancelRunRequest(),
    "ForgetRun": rpc.ForgetRunRequest(),
    "RecoverRun": rpc.RecoverRunRequest(),
    "Drain": rpc.DrainRequest(),
}


@pytest.fixture
def place() -> Iterator[Place]:
    with own_place() as place:
        yield place


@asynccontextmanager
async def running(place: Place, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The server as a process of its own; killed at the end if it still runs."""
    variables: Mapping[str, str] = {
        **os.environ,
        "KRUNTIMES_ENDPOINT": place.endpoint,
        "KRUNTIMES_TOKEN_FILE": str(place.token_file),
        "KRUNTIMES_SPOOL": str(place.spool),
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime_servers.fake", env=variables, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def connected(place: Place, token: str | None = TOKEN) -> AsyncIterator[Client]:
    """A client, once the server listens."""
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    async with grpc.aio.insecure_channel(place.endpoint, options=options) as channel:
        async with asyncio.timeout(WAIT_SECONDS):
            await channel.channel_ready()
        yield Client(channel, token)


async def exit_code(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(WAIT_SECONDS):
        return await process.wait()


async def health_of(place: Place, name: str) -> int:
    async with grpc.aio.insecure_channel(place.endpoint) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=name))).status)


async def test_sigterm_drains_and_exits_when_the_last_run_is_forgotten(place: Place) -> None:
    async with running(place) as process, connected(place) as client, client.watch() as watching:
        await watching.snapshot()
        await client.start(script={"run_for": 0.2})
        process.send_signal(signal.SIGTERM)
        await watching.until(lambda event: event.server.accept_state == 3)
        with refused("UNAVAILABLE", "DRAINING"):
            await client.start("other")
        assert (await client.ended()).state == pb.RUN_STATE_SUCCEEDED
        assert [part.end.total_bytes for part in await client.read(("stdout", 0))] == [0]
        assert process.returncode is None
        await client.forget()
        assert await exit_code(process) == 0
    assert not Path(str(place.socket)).exists()
    assert os.listdir(str(place.spool)) == []


async def test_when_the_grace_is_over_runs_are_drained_and_the_process_ends(place: Place) -> None:
    async with running(place, KRUNTIMES_TERMINATION_GRACE_SECONDS="5") as process:
        async with connected(place) as client, client.watch() as watching:
            await client.start(script={"hold": True, "ignore_stop": True})
            process.send_signal(signal.SIGTERM)
            run = await watching.ended()
        assert (run.state, run.result.error.reason) == (pb.RUN_STATE_FAILED, "DRAINED")
        assert await exit_code(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_server_leaves_at_once(place: Place, number: signal.Signals) -> None:
    async with running(place) as process:
        async with connected(place):
            process.send_signal(number)
        assert await exit_code(process) == 0


@pytest.mark.parametrize("token", [None, "another"])
async def test_every_call_but_health_needs_the_token(place: Place, token: str | None) -> None:
    async with running(place), connected(place, token) as client:
        for method, request in CALLS.items():
            with refused("UNAUTHENTICATED", "UNAUTHENTICATED"):
                await client.call(method, request)
        with refused("UNAUTHENTICATED", "UNAUTHENTICATED"):
            await client.read(("stdout", 0))
        async with client.watch() as watching:
            with refused("UNAUTHENTICATED", "UNAUTHENTICATED"):
                await watching.next()
        assert await health_of(place, "") == SERVING


async def test_health_tells_life_apart_from_taking_runs(place: Place) -> None:
    async with running(place), connected(place) as client:
        assert (await health_of(place, ""), await health_of(place, SERVICE)) == (SERVING, SERVING)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health_of(place, "other")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        async with grpc.aio.insecure_channel(place.endpoint) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=WAIT_SECONDS)
            assert (await watch.read()).status == SERVING
            await client.call("Drain", rpc.DrainRequest())
            assert (await watch.read()).status == NOT_SERVING
            watch.cancel()
        assert await health_of(place, "") == SERVING


async def test_a_killed_server_leaves_nothing_in_the_way_of_the_next(place: Place) -> None:
    async with running(place) as process, connected(place) as client:
        assert os.stat(str(place.socket)).st_mode & 0o777 == 0o660
        first = await client.call("Handshake", rpc.HandshakeRequest())
        await client.start(script={"flood": 200_000})
        await client.ended()
        left = os.listdir(str(place.spool))
        process.kill()
        await process.wait()
    assert Path(str(place.socket)).exists()
    async with running(place), connected(place) as client:
        second = await client.call("Handshake", rpc.HandshakeRequest())
        assert first.instance_id != second.instance_id
        assert not set(left) & set(os.listdir(str(place.spool)))
        assert not (await client.call("ListRuns", rpc.ListRunsRequest())).runs


async def test_a_script_can_end_the_server(place: Place) -> None:
    async with running(place) as process, connected(place) as client:
        with refused("UNAVAILABLE", ""):
            await client.start("fatal", script={"exit_server": 9})
            await client.ended("fatal")
        assert await exit_code(process) == 9


async def test_the_server_waits_for_a_token_that_comes_late(place: Place) -> None:
    token = Path(str(place.token_file))
    token.unlink()
    async with running(place):
        draft = token.with_suffix(".new")
        draft.write_text(TOKEN)
        draft.rename(token)
        async with connected(place) as client:
            assert (await client.status()).accept_state == 1


async def test_a_server_that_still_waits_for_its_token_can_be_stopped(place: Place) -> None:
    Path(str(place.token_file)).unlink()
    async with running(place) as process:
        spool = Path(str(place.spool))

        async def waits() -> bool | None:  # its spool is there, so its handlers of signals are
            return True if spool.exists() and os.listdir(spool) else None

        await eventually(waits)
        process.send_signal(signal.SIGTERM)
        assert await exit_code(process) == 0
    assert os.listdir(spool) == []
