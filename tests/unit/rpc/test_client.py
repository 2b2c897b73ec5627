"""The client of a runtime server: every call has an end, and every failure one kind of error."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.types_pb2 import RunKey

from kruntimes_core.daemon.server import Code
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


async def test_output_is_put_together_by_channel(scripted: Pair) -> None:
    server, client = scripted
    chunks = [("stdout", b"a"), ("stderr", b"x"), ("stdout", b"\xff")]
    server.answers["ReadOutput"] = [
        wire.ReadOutputResponse(chunk=wire.OutputChunk(channel=channel, data=data))
        for channel, data in chunks
    ]

    output = await client.read_output(
        RunKey(run_uid="u", attempt=1), [("stdout", 0), ("stderr", 5), ("system", 0)]
    )

    assert output == {"stdout": b"a\xff", "stderr": b"x", "system": b""}


async def test_a_server_that_never_listens_is_waited_for_no_longer_than_asked(tmp_path: Path) -> None:
    client = RuntimeClient(f"unix://{tmp_path}/none.sock", "")

    with pytest.raises(CallFailed) as failed:
        await client.handshake(wire.HandshakeRequest(), 0.05)

    await client.close()
    assert failed.value.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE)
