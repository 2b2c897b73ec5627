"""OU: the bytes that a program writes, as it wrote them."""

import asyncio
from typing import Any

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.client import Refused
from kruntimes.conformance.trial import TERMINAL, Trial, expect, fail, state_name
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

_OUT = b"to stdout\n"
_ERR = b"to stderr\n"
_ALL_BYTES = bytes(range(256))
_FLOOD = 10 << 20
_CHUNK_BYTES = 64 << 10
_TAIL_BYTES = 4 << 10


def reading(key: pb.RunKey, follow: bool, **offsets: int) -> rpc.ReadOutputRequest:
    """A request for channels from offsets."""
    cursors = [rpc.OutputCursor(channel=name, offset=offset) for name, offset in offsets.items()]
    return rpc.ReadOutputRequest(key=key, cursors=cursors, follow=follow)


@check("OU-01", "stdout_stderr_known")
async def exact_bytes(trial: Trial) -> None:
    key = (await trial.run("stdout_stderr_known")).key
    for channel, wanted in (("stdout", _OUT), ("stderr", _ERR)):
        found = await trial.output(key, channel)
        expect(found == wanted, f"{channel} holds {found!r} instead of {wanted!r}")


@check("OU-02", "binary_256")
async def any_bytes(trial: Trial) -> None:
    key = (await trial.run("binary_256")).key
    found = await trial.output(key)
    expect(found == _ALL_BYTES, f"{len(found)} bytes came that are not the 256 written ones: {found[:40]!r}")


@check("OU-03", "binary_256")
async def resume(trial: Trial) -> None:
    key = (await trial.run("binary_256")).key
    for offset in (1, 100, 255):
        found = await trial.output(key, offset=offset)
        expect(found == _ALL_BYTES[offset:], f"from offset {offset} came {len(found)} bytes: {found[:40]!r}")


@check("OU-04", "farewell_on_term")
async def live(trial: Trial) -> None:
    key = (await trial.start("farewell_on_term")).key
    await trial.started(key)
    async with trial.client.stream("ReadOutput", reading(key, True, stdout=0)) as stream:
        # The program needs time of its own before it writes.
        await trial.within(3.0, _first_byte(stream), "no byte came of a Run that has written some")
    run = await trial.get(key)
    expect(run.state < TERMINAL, f"the Run ended {state_name(run)}")


async def _first_byte(stream: Any) -> None:
    async for part in stream:
        if part.chunk.data:
            return
    fail("the stream ended without a byte")


@check("OU-05", "stdout_stderr_known")
async def end_marker(trial: Trial) -> None:
    key = (await trial.run("stdout_stderr_known")).key
    parts = await trial.client.read(reading(key, False, stdout=0, stderr=0))
    ends = [(part.end.channel, part.end.total_bytes) for part in parts if part.HasField("end")]
    wanted = [("stderr", len(_ERR)), ("stdout", len(_OUT))]
    expect(sorted(ends) == wanted, f"the ends of two closed channels are {ends}")


@check("OU-06", "stdout_stderr_known")
async def clean_end_has_all_ends(trial: Trial) -> None:
    key = (await trial.start("stdout_stderr_known")).key
    parts = await trial.client.read(reading(key, True, stdout=0, stderr=0))
    ended = sorted(part.end.channel for part in parts if part.HasField("end"))
    expect(ended == ["stderr", "stdout"], f"a stream with follow ended OK after the ends of {ended}")


@check("OU-07", "stdout_stderr_known")
async def offset_at_and_past_end(trial: Trial) -> None:
    key = (await trial.run("stdout_stderr_known")).key
    found = await trial.output(key, offset=len(_OUT))
    expect(found == b"", f"at the end of a channel came {found!r}")
    try:
        await trial.output(key, offset=len(_OUT) + 1)
    except Refused as refused:
        expect(refused.code == "OUT_OF_RANGE", f"past the end: {refused}")
        return
    fail("an offset past the end is answered OK")


@check("OU-10", "flood_10mib")
async def chunk_rules(trial: Trial) -> None:
    key = (await trial.run("flood_10mib")).key
    expected = 0
    for part in await trial.client.read(reading(key, True, stdout=0)):
        if not part.HasField("chunk"):
            continue
        size = len(part.chunk.data)
        expect(size <= _CHUNK_BYTES, f"a chunk holds {size} bytes")
        follows = part.chunk.offset - part.chunk.skipped_bytes
        expect(follows == expected, f"after byte {expected} comes a chunk that follows on byte {follows}")
        expected = part.chunk.offset + size


@check("OU-13", "flood_10mib")
async def full_channel_never_blocks(trial: Trial) -> None:
    policy = pb.OutputPolicy(max_bytes=64 << 10)
    key = (await trial.start("flood_10mib", output_policy=policy)).key
    run = await trial.ended(key, 30.0)
    expect(run.state == pb.RUN_STATE_SUCCEEDED, f"a Run that nobody reads ended {state_name(run)}")


@check("OU-14", "stdout_stderr_known")
async def readable_after_end(trial: Trial) -> None:
    key = (await trial.run("stdout_stderr_known")).key
    for _ in range(2):
        found = await trial.output(key)
        expect(found == _OUT, f"after the end stdout is {found!r}")
        await asyncio.sleep(trial.scaled(0.2))


@check("OU-19", "stdout_stderr_known", "sleep_60", runs=2)
async def tail(trial: Trial) -> None:
    running = await trial.started((await trial.start("sleep_60")).key)
    expect(not any(one.tail for one in running.channels), "a Run that is not terminal has a tail")
    fixtures = {"stdout_stderr_known": _OUT, "binary_256": _ALL_BYTES, "flood_10mib": None}
    for fixture, wanted in fixtures.items():
        if trial.facts.pack.lacks(fixture):
            continue
        run = await trial.run(fixture)
        found = next((one.tail for one in run.channels if one.name == "stdout"), b"")
        expect(len(found) <= _TAIL_BYTES, f"the tail of {fixture} holds {len(found)} bytes")
        if found and wanted is not None:
            expect(wanted.endswith(found), f"the tail of {fixture} is {found[:40]!r}")
