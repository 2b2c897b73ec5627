"""ReadOutput: offsets, several channels, following, limits, ends."""

import asyncio
from pathlib import Path

import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.server import Refusal, RunKey
from kruntimes.server.reading import Reading, check_request
from kruntimes.server.spool import Output, Spool


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Spool(str(tmp_path)).output(RunKey("u", 1), 1 << 20, keep_tail=False)


def request(*cursors: tuple[str, int], follow: bool = False, limit: int = 0) -> rpc.ReadOutputRequest:
    wanted = [rpc.OutputCursor(channel=channel, offset=offset) for channel, offset in cursors]
    return rpc.ReadOutputRequest(cursors=wanted, follow=follow, limit_bytes=limit)


def said(part: rpc.ReadOutputResponse) -> tuple[object, ...]:
    if part.HasField("end"):
        return ("end", part.end.channel, part.end.total_bytes)
    return (part.chunk.channel, part.chunk.offset, part.chunk.data)


async def read(output: Output, wanted: rpc.ReadOutputRequest) -> list[tuple[object, ...]]:
    async with asyncio.timeout(5):
        return [said(part) async for part in Reading.of(output, wanted).parts()]


BAD = {
    "no cursor": (request(), "missing"),
    "a channel twice": (request(("stdout", 0), ("stdout", 5)), "twice"),
    "a negative offset": (request(("stdout", -1)), "negative"),
    "a negative limit": (request(("stdout", 0), limit=-1), "negative"),
}


@pytest.mark.parametrize(("wanted", "why"), BAD.values(), ids=BAD)
def test_a_malformed_request_is_refused(wanted: rpc.ReadOutputRequest, why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        check_request(wanted)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_an_unknown_channel_and_an_offset_past_the_end_are_refused(output: Output) -> None:
    output.write("stdout", b"abc")
    with pytest.raises(Refusal) as unknown:
        Reading.of(output, request(("result", 0)))
    with pytest.raises(Refusal) as past:
        Reading.of(output, request(("stdout", 4)))
    assert (unknown.value.code, past.value.code) == ("NOT_FOUND", "OUT_OF_RANGE")


async def test_every_channel_is_read_from_its_own_offset_and_ends_when_closed(output: Output) -> None:
    output.write("stdout", b"abc")
    output.write("stderr", b"xyz")
    output.close()
    assert await read(output, request(("stdout", 1), ("stderr", 3), ("system", 0))) == [
        ("stdout", 1, b"bc"),
        ("end", "stderr", 3),
        ("end", "system", 0),
        ("end", "stdout", 3),
    ]


async def test_without_follow_an_open_channel_ends_at_the_bytes_there_are(output: Output) -> None:
    output.write("stdout", b"abc")
    assert await read(output, request(("stdout", 0))) == [("stdout", 0, b"abc")]


async def test_long_output_comes_in_chunks_of_64_kib_without_a_gap(output: Output) -> None:
    data = bytes(range(256)) * 600
    output.write("stdout", data)
    output.close()
    parts = await read(output, request(("stdout", 0)))
    chunks = [part for part in parts if part[0] == "stdout"]
    assert [len(part[2]) for part in chunks] == [65536, 65536, 22528]  # type: ignore[arg-type]
    assert b"".join(part[2] for part in chunks) == data  # type: ignore[misc]
    assert parts[-1] == ("end", "stdout", len(data))


async def test_no_more_bytes_are_sent_than_the_limit_over_all_channels(output: Output) -> None:
    output.write("stdout", b"abc")
    output.write("stderr", b"xyz")
    output.close()
    assert await read(output, request(("stdout", 0), ("stderr", 0), limit=4)) == [
        ("stdout", 0, b"abc"),
        ("stderr", 0, b"x"),
    ]


async def test_a_follower_gets_bytes_as_they_are_written_and_then_the_end(output: Output) -> None:
    parts = Reading.of(output, request(("stdout", 0), follow=True)).parts()
    async with asyncio.timeout(5):
        for data in (b"a", b"b"):
            waiting = asyncio.ensure_future(anext(parts))
            await asyncio.sleep(0)
            output.write("stdout", data)
            assert said(await waiting)[2] == data
        output.close()
        assert said(await anext(parts)) == ("end", "stdout", 2)
        with pytest.raises(StopAsyncIteration):
            await anext(parts)
    assert output.listeners == []


async def test_a_follower_of_a_forgotten_run_ends_without_an_end_marker(output: Output) -> None:
    following = asyncio.ensure_future(read(output, request(("stdout", 0), follow=True)))
    await asyncio.sleep(0)
    output.drop()
    assert await following == []


async def test_two_readers_do_not_disturb_each_other(output: Output) -> None:
    output.write("stdout", b"abc")
    output.close()
    both = await asyncio.gather(read(output, request(("stdout", 0))), read(output, request(("stdout", 2))))
    assert [parts[0][2] for parts in both] == [b"abc", b"c"]
