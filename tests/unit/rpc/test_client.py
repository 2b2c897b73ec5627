"""The client of a runtime server: every call has an end, and every failure one kind of error."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from kruntimes.frames import End, Piece
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.types_pb2 import RunKey

from kruntimes_core.daemon.server import Code
from kruntimes_core.model import identity as model
from kruntimes_core.rpc.client import START_BYTES, RuntimeClient
from kruntimes_core.rpc.errors import CallFailed
from tests.unit.scripted_server import ScriptedServer

Pair = tuple[ScriptedServer, RuntimeClient]


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[Pair]:
    server = ScriptedServer()
    async with server.serving(tmp_path) as client:
        yield server, client


async def test_every_page_is_listed_with_the_token(scripted: Pair) -> None:
    server, client = scripted
    pages = [wire.ListRunsResponse(next_page_token="2"), wire.ListRunsResponse()]
    for number, page in enumerate(pages, start=1):
        page.runs.add(key=RunKey(run_uid="u", attempt=number))
    server.answers["ListRuns"] = list(pages)

    runs = await client.list_runs()

    assert [run.key.attempt for run in runs] == [1, 2]
    assert server.tokens == {"Bearer secret"}


async def test_a_refusal_becomes_our_error(scripted: Pair) -> None:
    server, client = scripted
    server.answers["StartRun"] = [grpc.StatusCode.RESOURCE_EXHAUSTED]

    with pytest.raises(CallFailed, match="StartRun failed with RESOURCE_EXHAUSTED: the script") as failed:
        await client.start(wire.StartRunRequest(), 5.0)

    assert failed.value.code is Code.RESOURCE_EXHAUSTED


async def test_a_run_too_large_to_send_is_not_sent(scripted: Pair) -> None:
    server, client = scripted
    request = wire.StartRunRequest()
    request.spec.stdin = bytes(START_BYTES)

    with pytest.raises(CallFailed, match="at most 3145728") as failed:
        await client.start(request, 5.0)

    assert failed.value.code is Code.INVALID_ARGUMENT
    assert server.asked == []


async def test_a_watch_gives_what_comes_and_says_when_it_breaks(scripted: Pair) -> None:
    server, client = scripted
    first = wire.WatchResponse(heartbeat=wire.Heartbeat())
    server.answers["Watch"] = [first]
    events = client.watch(10.0)

    assert await anext(events) == first
    with pytest.raises(CallFailed, match="ended the stream"):
        await anext(events)


async def test_a_watch_gives_up_after_three_missed_heartbeats(scripted: Pair) -> None:
    server, client = scripted
    server.answers["Watch"] = [wire.WatchResponse(heartbeat=wire.Heartbeat())]
    server.holds_streams = True
    events = client.watch(0.05)

    await anext(events)
    with pytest.raises(CallFailed, match=r"nothing came for 0\.15 s"):
        await anext(events)


async def test_output_comes_part_by_part(scripted: Pair) -> None:
    server, client = scripted
    server.answers["ReadOutput"] = [
        wire.ReadOutputResponse(chunk=wire.OutputChunk(channel="stdout", offset=3, data=b"\xff")),
        wire.ReadOutputResponse(heartbeat=wire.Heartbeat()),
        wire.ReadOutputResponse(end=wire.OutputEnd(channel="stdout", total_bytes=9, truncated=True)),
    ]

    parts = client.read_output(model.RunKey("u", 1), [("stdout", 3), ("stderr", 5)], follow=True)

    want = [Piece("u", 1, "stdout", 3, b"\xff"), End("u", 1, "stdout", 9, True)]
    assert [part async for part in parts] == want
    ((_, asked),) = server.asked
    assert [(cursor.channel, cursor.offset) for cursor in asked.cursors] == [("stdout", 3), ("stderr", 5)]
    assert asked.follow


async def test_a_server_that_never_listens_is_waited_for_no_longer_than_asked(tmp_path: Path) -> None:
    client = RuntimeClient(f"unix://{tmp_path}/none.sock", "")

    with pytest.raises(CallFailed) as failed:
        await client.handshake(wire.HandshakeRequest(), 0.05)

    await client.close()
    assert failed.value.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE)
