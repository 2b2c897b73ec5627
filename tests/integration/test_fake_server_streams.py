"""Watch and ReadOutput of the server kit over a real UNIX socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.fake_server import fake_server, refused
from tests.runtime_client import Client

HEARTBEAT = {"nanos": 20_000_000}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with fake_server() as client:
        yield client


def kinds(events: list[rpc.WatchResponse]) -> list[str]:
    return [str(event.WhichOneof("event")) for event in events]


def data_of(parts: list[Any], channel: str = "stdout") -> bytes:
    return b"".join(part.chunk.data for part in parts if part.chunk.channel == channel)


async def test_watch_opens_with_server_runs_and_the_end_of_the_snapshot(client: Client) -> None:
    await client.start("a")
    await client.ended("a")
    await client.start("b", script={"hold": True})
    async with client.watch() as watching:
        seen = await watching.snapshot()
    assert kinds(seen) == ["server", "run", "run", "snapshot_end"]
    assert seen[-1].snapshot_end.runs == 2
    assert [event.run.key.run_uid for event in seen[1:3]] == ["a", "b"]
    assert seen[1].run == await client.get("a")


async def test_revisions_only_rise_and_the_last_one_is_what_get_says(client: Client) -> None:
    async with client.watch() as watching:
        await watching.snapshot()
        await client.start(script={"start_for": 0.1, "run_for": 0.1, "stdout": "x"})
        run = await watching.ended()
        runs = [event.run for event in watching.seen if event.HasField("run")]
    assert [one.revision for one in runs] == sorted({one.revision for one in runs})
    states = [one.state for one in runs]
    assert states == sorted(states)
    assert states[-1] == pb.RUN_STATE_SUCCEEDED
    assert run == await client.get()


async def test_a_run_that_ends_while_nobody_watches_is_in_the_next_snapshot(client: Client) -> None:
    async with client.watch() as watching:
        await watching.snapshot()
        await client.start(script={"hold": True})
    await client.cancel()
    await client.ended()
    async with client.watch() as watching:
        seen = await watching.snapshot()
    assert seen[1].run.state == pb.RUN_STATE_CANCELLED


async def test_output_alone_sends_nothing_and_silence_is_broken_by_heartbeats(client: Client) -> None:
    async with client.watch(heartbeat_interval=HEARTBEAT) as watching:
        await watching.snapshot()
        await client.start(script={"hold": True, "flood": 100_000})
        event = await watching.until(lambda one: one.run.state == pb.RUN_STATE_RUNNING)
        for _ in range(2):
            await watching.until(lambda one: one.HasField("heartbeat"))
        assert all(one.run.revision <= event.run.revision for one in watching.seen)
    assert (await client.get()).channels[0].end_offset == 100_000


async def test_forgotten_is_told_and_nothing_follows(client: Client) -> None:
    async with client.watch(heartbeat_interval=HEARTBEAT) as watching:
        await watching.snapshot()
        await client.start()
        await watching.ended()
        await client.forget()
        await watching.until(lambda event: event.forgotten.run_uid == "u")
        await watching.until(lambda event: event.HasField("heartbeat"))
        said = kinds(watching.seen)
    assert "run" not in said[said.index("forgotten") :]


async def test_two_watchers_both_see_the_end(client: Client) -> None:
    async with client.watch() as one, client.watch() as other:
        for watching in (one, other):
            await watching.snapshot()
        await client.start()
        assert await one.ended() == await other.ended()


async def test_one_watch_too_many_ends_the_oldest(client: Client) -> None:
    hello = await client.call("Handshake", rpc.HandshakeRequest())
    async with client.watch() as oldest:
        await oldest.snapshot()
        streams = [client.watch() for _ in range(hello.capabilities.watch.max_streams)]
        for stream in streams:
            await (await stream.__aenter__()).snapshot()
        with refused("ABORTED", "STREAM_REPLACED"):
            await oldest.next()
        for stream in streams:
            await stream.__aexit__(None, None, None)


@pytest.mark.parametrize("field", ["heartbeat_interval", "usage_interval"])
async def test_an_interval_of_nothing_is_refused(client: Client, field: str) -> None:
    async with client.watch(**{field: {"seconds": 0}}) as watching:
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            await watching.next()


async def test_short_runs_do_not_flood_the_stream_with_capacity() -> None:
    async with fake_server({"runs": 100}) as client, client.watch() as watching:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await watching.snapshot()
        for number in range(50):
            await client.start(f"u{number}")
        await watching.ended("u49")
        assert kinds(watching.seen).count("server") <= 1 + (loop.time() - began)


async def test_two_hundred_runs_in_parallel_lose_no_end() -> None:
    async with fake_server({"runs": 200}) as client, client.watch() as watching:
        await watching.snapshot()
        names = {f"u{number}" for number in range(200)}
        await asyncio.gather(*[client.start(name, script={"run_for": 0.01}) for name in names])
        while names:
            event = await watching.until(lambda one: one.run.state >= 10)
            names.discard(event.run.key.run_uid)


async def test_output_of_any_bytes_is_read_whole_and_from_any_offset(client: Client) -> None:
    await client.start(script={"stdout_base64": "AAH/gIH+", "stderr": "e", "flood": 200_000})
    await client.ended()
    whole = await client.read(("stdout", 0), ("stderr", 0))
    assert data_of(whole) == b"\x00\x01\xff\x80\x81\xfe" + b"x" * 200_000
    assert data_of(whole, "stderr") == b"e"
    ends = [part.end for part in whole if part.HasField("end")]
    assert {end.channel: (end.total_bytes, end.truncated) for end in ends} == {
        "stdout": (200_006, False),
        "stderr": (1, False),
    }
    assert max(len(part.chunk.data) for part in whole) <= 65_536
    rest = await client.read(("stdout", 200_004))
    assert [part.WhichOneof("part") for part in rest] == ["chunk", "end"]
    assert rest[0].chunk.data == b"xx"
    assert [part.WhichOneof("part") for part in await client.read(("stdout", 200_006))] == ["end"]


async def test_a_follower_gets_output_live_and_every_end(client: Client) -> None:
    await client.start(script={"hold": True, "stdout": "begin", "farewell": " end"})
    following = asyncio.ensure_future(client.read(("stdout", 0), ("stderr", 0), follow=True))
    await client.until(lambda run: run.channels[0].end_offset == 5)
    await client.cancel()
    parts = await following
    assert data_of(parts) == b"begin end"
    assert sorted(part.end.channel for part in parts if part.HasField("end")) == ["stderr", "stdout"]


POLICIES = {
    "head": (pb.OUTPUT_OVERFLOW_KEEP_HEAD, b"0123456789", 0),
    "tail": (pb.OUTPUT_OVERFLOW_KEEP_TAIL, b"6789abcdef", 6),
}


@pytest.mark.parametrize(("overflow", "kept", "skipped"), POLICIES.values(), ids=POLICIES)
async def test_a_full_channel_keeps_its_head_or_its_tail(
    client: Client, overflow: pb.OutputOverflow.ValueType, kept: bytes, skipped: int
) -> None:
    policy = pb.OutputPolicy(max_bytes=10, overflow=overflow)
    await client.start(script={"stdout": "0123456789abcdef"}, output_policy=policy)
    run = await client.ended()
    chunk, end = await client.read(("stdout", 0))
    assert (chunk.chunk.data, chunk.chunk.skipped_bytes) == (kept, skipped)
    assert (end.end.total_bytes, end.end.truncated, run.channels[0].truncated) == (16, True, True)
    assert run.channels[0].first_offset == skipped


async def test_reads_that_cannot_be_served_are_refused(client: Client) -> None:
    await client.start()
    await client.ended()
    cases = [
        (client.read(), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (client.read(("stdout", 0), ("stdout", 1)), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (client.read(("stdout", -1)), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (client.read(("stdout", 1)), "OUT_OF_RANGE", "OFFSET_PAST_END"),
        (client.read(("result", 0)), "NOT_FOUND", "CHANNEL_UNKNOWN"),
        (client.read(("stdout", 0), uid="other"), "NOT_FOUND", "RUN_UNKNOWN"),
    ]
    for call, code, reason in cases:
        with refused(code, reason):
            await call


async def test_readers_that_stall_starve_nobody(client: Client) -> None:
    await client.start("a", script={"hold": True, "flood": 1 << 20})
    calls: list[grpc.aio.UnaryStreamCall[Any, Any]] = []
    for _ in range(20):
        wanted = [rpc.OutputCursor(channel="stdout")]
        request = rpc.ReadOutputRequest(key=pb.RunKey(run_uid="a", attempt=1), cursors=wanted, follow=True)
        calls.append(client.stub.ReadOutput(request, metadata=client.metadata))
        await calls[-1].read()
    await client.start("b")
    assert (await client.ended("b")).state == pb.RUN_STATE_SUCCEEDED
    for call in calls:
        call.cancel()
