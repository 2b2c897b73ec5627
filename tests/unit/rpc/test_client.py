"""The client of a runtime server, against a server that says exactly what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.runtime_service_pb2_grpc import (
    RuntimeServiceServicer,
    add_RuntimeServiceServicer_to_server,
)
from kruntimes.runtime.v1.types_pb2 import RunKey

from kruntimes_core.daemon.server import Code
from kruntimes_core.rpc.client import START_BYTES, RuntimeClient
from kruntimes_core.rpc.errors import CallFailed

Context = grpc.aio.ServicerContext[object, object]


class Scripted(RuntimeServiceServicer):
    """Answers calls from `answers` by name, and keeps what came in."""

    def __init__(self) -> None:
        self.answers: dict[str, list[object]] = {}
        self.seen: list[tuple[str, object]] = []
        self.tokens: set[str] = set()
        self.hold = False

    def _note(self, name: str, request: object, context: Context) -> list[object]:
        self.seen.append((name, request))
        self.tokens |= {
            str(value) for key, value in context.invocation_metadata() or () if key == "authorization"
        }
        return self.answers[name]

    async def ListRuns(self, request: object, context: Context) -> object:  # type: ignore[override]  # noqa: N802
        return self._note("ListRuns", request, context).pop(0)

    async def StartRun(self, request: object, context: Context) -> object:  # type: ignore[override]  # noqa: N802
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    async def Watch(self, request: object, context: Context) -> AsyncIterator[object]:  # type: ignore[override]  # noqa: N802
        for answer in self._note("Watch", request, context):
            yield answer
        if self.hold:
            await asyncio.Event().wait()  # says nothing until the client hangs up

    async def ReadOutput(self, request: object, context: Context) -> AsyncIterator[object]:  # type: ignore[override]  # noqa: N802
        for answer in self._note("ReadOutput", request, context):
            yield answer


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[tuple[Scripted, RuntimeClient]]:
    servicer = Scripted()  # type: ignore[abstract]  # calls it does not script answer UNIMPLEMENTED
    server = grpc.aio.server()
    add_RuntimeServiceServicer_to_server(servicer, server)
    endpoint = f"unix://{tmp_path}/s.sock"
    server.add_insecure_port(endpoint)
    await server.start()
    client = RuntimeClient(endpoint, "secret")
    yield servicer, client
    await client.close()
    await server.stop(0)


Pair = tuple[Scripted, RuntimeClient]


async def test_every_page_is_listed_with_the_token(scripted: Pair) -> None:
    servicer, client = scripted
    pages = [wire.ListRunsResponse(next_page_token="2"), wire.ListRunsResponse()]
    for number, page in enumerate(pages, start=1):
        page.runs.add(key=RunKey(run_uid="u", attempt=number))
    servicer.answers["ListRuns"] = list(pages)

    runs = await client.list_runs()

    assert [run.key.attempt for run in runs] == [1, 2]
    assert servicer.tokens == {"Bearer secret"}


async def test_a_refusal_becomes_our_error(scripted: Pair) -> None:
    _, client = scripted

    with pytest.raises(CallFailed, match="StartRun failed with RESOURCE_EXHAUSTED: full") as failed:
        await client.start(wire.StartRunRequest(), 5.0)

    assert failed.value.code is Code.RESOURCE_EXHAUSTED


async def test_a_run_too_large_to_send_is_not_sent(scripted: Pair) -> None:
    servicer, client = scripted
    request = wire.StartRunRequest()
    request.spec.stdin = bytes(START_BYTES)

    with pytest.raises(CallFailed, match="at most 3145728") as failed:
        await client.start(request, 5.0)

    assert failed.value.code is Code.INVALID_ARGUMENT
    assert servicer.seen == []


async def test_a_watch_gives_what_comes_and_says_when_it_breaks(scripted: Pair) -> None:
    servicer, client = scripted
    first = wire.WatchResponse(heartbeat=wire.Heartbeat())
    servicer.answers["Watch"] = [first]
    events = client.watch(10.0)

    assert await anext(events) == first
    with pytest.raises(CallFailed, match="ended the stream"):
        await anext(events)


async def test_a_watch_gives_up_after_three_missed_heartbeats(scripted: Pair) -> None:
    servicer, client = scripted
    servicer.answers["Watch"] = [wire.WatchResponse(heartbeat=wire.Heartbeat())]
    servicer.hold = True
    events = client.watch(0.05)

    await anext(events)
    with pytest.raises(CallFailed, match=r"nothing came for 0\.15 s"):
        await anext(events)


async def test_output_is_put_together_by_channel(scripted: Pair) -> None:
    servicer, client = scripted
    chunks = [("stdout", b"a"), ("stderr", b"x"), ("stdout", b"\xff")]
    servicer.answers["ReadOutput"] = [
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
