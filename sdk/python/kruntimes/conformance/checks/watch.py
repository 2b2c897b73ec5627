"""WA: one stream that begins with everything and misses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.client import Refused, Stream
from kruntimes.conformance.trial import TERMINAL, Failed, Trial, expect, fail, state_name
from kruntimes.runtime.v1 import types_pb2 as pb

_EVENT_SECONDS = 20.0
_HEARTBEAT_SECONDS = 0.5


@asynccontextmanager
async def opened(trial: Trial) -> AsyncIterator[tuple[Stream, list[Any]]]:
    """A Watch whose snapshot has come, and the messages of that snapshot."""
    async with trial.watching() as stream:
        yield stream, await trial.within(_EVENT_SECONDS, snapshot(stream), "Watch sent no SnapshotEnd")


async def snapshot(stream: Stream) -> list[Any]:
    """Everything up to SnapshotEnd."""
    events = []
    async for event in stream:
        events.append(event)
        if event.WhichOneof("event") == "snapshot_end":
            return events
    raise Failed("Watch ended before SnapshotEnd")


async def end_of(stream: Stream, key: pb.RunKey) -> pb.Run:
    """The terminal snapshot of a Run, whenever it comes."""
    async for event in stream:
        if event.run.key == key and event.run.state >= TERMINAL:
            return pb.Run.FromString(event.run.SerializeToString())
    raise Failed("Watch ended before the Run did")


@check("WA-01", "noop", streams=1)
async def opening_order(trial: Trial) -> None:
    await trial.run("noop")
    async with opened(trial) as (_, events):
        kinds = [event.WhichOneof("event") for event in events]
        expect(kinds[0] == "server", f"the first message of Watch is {kinds[0]}")
        others = set(kinds[1:-1]) - {"run", "server", "forgotten"}
        expect(not others, f"before SnapshotEnd come {others}")
        sent = {(event.run.key.run_uid, event.run.key.attempt) for event in events if event.HasField("run")}
        said = events[-1].snapshot_end.runs
        expect(said == len(sent), f"SnapshotEnd says {said} Runs, {len(sent)} were sent")


@check("WA-02", "noop", "sleep_60", streams=1)
async def snapshot_complete(trial: Trial) -> None:
    ended = (await trial.run("noop")).key
    running = (await trial.start("sleep_60")).key
    async with opened(trial) as (_, events):
        keys = [event.run.key for event in events if event.HasField("run")]
        expect(ended in keys, "a Run that has ended and was not forgotten is not in the snapshot")
        expect(running in keys, "a Run that is active is not in the snapshot")


@check("WA-03", "noop", streams=1)
async def terminal_in_time(trial: Trial) -> None:
    stale = trial.facts.can.scheduling.max_staleness.ToTimedelta().total_seconds()
    async with opened(trial) as (stream, _):
        key = trial.key()
        watching = asyncio.ensure_future(end_of(stream, key))
        try:
            await trial.run("noop", key)
            await trial.within(1.0 + stale, watching, "Watch did not tell of an end that GetRun shows")
        finally:
            watching.cancel()


@check("WA-05", "noop", "sleep_60", runs=2, streams=1)
async def no_going_back(trial: Trial) -> None:
    async with opened(trial) as (stream, events):
        long = trial.key()
        short = [trial.key() for _ in range(3)]

        async def play() -> None:
            await trial.start("sleep_60", long)
            for key in short:
                await trial.run("noop", key)
            await trial.cancel(long, grace=0.2)

        playing = asyncio.ensure_future(play())
        try:
            seen = {event.run.key.run_uid: event.run.revision for event in events if event.HasField("run")}
            await trial.within(_EVENT_SECONDS, _rising(stream, seen, long), "the Run's end did not come")
        finally:
            await asyncio.gather(playing, return_exceptions=True)


async def _rising(stream: Stream, seen: dict[str, int], last: pb.RunKey) -> None:
    async for event in stream:
        if not event.HasField("run"):
            continue
        run = event.run
        name = f"{run.key.run_uid}/{run.key.attempt}"
        before = seen.get(name, 0)
        expect(run.revision >= before, f"revision {run.revision} of a Run came after {before}")
        seen[name] = run.revision
        if run.key == last and run.state >= TERMINAL:
            return


@check("WA-06", "noop", streams=1)
async def gap_free_reconnect(trial: Trial) -> None:
    async with opened(trial):
        key = (await trial.start("noop")).key
    ended = await trial.ended(key)
    async with opened(trial) as (_, events):
        found = [event.run for event in events if event.HasField("run") and event.run.key == key]
        expect(found, "a Run that ended while no stream was open is not in the next snapshot")
        expect(found[-1].state == ended.state, f"the next snapshot shows it {state_name(found[-1])}")


@check("WA-08", streams=1, manner=Manner.ALONE)
async def heartbeat(trial: Trial) -> None:
    async with trial.watching(trial.scaled(_HEARTBEAT_SECONDS)) as stream:
        await trial.within(_EVENT_SECONDS, snapshot(stream), "Watch sent no SnapshotEnd")
        for _ in range(2):
            await trial.within(_HEARTBEAT_SECONDS + 2.0, _beat(stream), "no heartbeat came in silence")


async def _beat(stream: Stream) -> None:
    async for event in stream:
        if event.HasField("heartbeat"):
            expect(event.heartbeat.HasField("time"), "a heartbeat has no time")
            return
    fail("Watch ended by itself")


@check("WA-11", "noop", manner=Manner.ALONE)
async def newest_stream_wins(trial: Trial) -> None:
    most = trial.facts.can.watch.max_streams or 2
    async with (
        opened(trial) as (oldest, _),
        _streams(trial, most - 1) as others,
        opened(trial) as (newest, _),
    ):
        await trial.within(5.0, _replaced(oldest), "the oldest stream did not end")
        key = (await trial.start("noop")).key
        for stream in (newest, *others):
            await trial.within(5.0, end_of(stream, key), "a stream that should go on told of no end")


@asynccontextmanager
async def _streams(trial: Trial, number: int) -> AsyncIterator[list[Stream]]:
    if number == 0:
        yield []
        return
    async with opened(trial) as (stream, _), _streams(trial, number - 1) as others:
        yield [stream, *others]


async def _replaced(stream: Stream) -> None:
    try:
        async for _ in stream:
            pass
    except Refused as refused:
        expect(refused.code == "ABORTED", f"the oldest stream ended otherwise: {refused}")
        return
    fail("the oldest stream ended with OK")


@check("WA-12", "noop", streams=1)
async def very_short_run(trial: Trial) -> None:
    async with opened(trial) as (stream, _):
        key = (await trial.start("noop")).key
        run = await trial.within(_EVENT_SECONDS, end_of(stream, key), "the Run's end did not come")
        expect(run.HasField("start_time"), "a Run whose program ran has no start_time")


@check("WA-14", "noop", runs=3, streams=1)
async def start_during_snapshot(trial: Trial) -> None:
    keys = [trial.key() for _ in range(5)]

    async def play() -> None:
        for key in keys:
            await trial.run("noop", key)

    playing = asyncio.ensure_future(play())
    try:
        async with trial.watching() as stream:
            missing = {key.run_uid for key in keys}
            await trial.within(_EVENT_SECONDS, _all_end(stream, missing), "not every Run came")
    finally:
        await playing


async def _all_end(stream: Stream, missing: set[str]) -> None:
    async for event in stream:
        if event.run.state >= TERMINAL:
            missing.discard(event.run.key.run_uid)
        if not missing:
            return


@check("WA-15", "flood_10mib", streams=1)
async def output_is_no_change(trial: Trial) -> None:
    async with opened(trial) as (stream, _):
        key = trial.key()
        await trial.start("flood_10mib", key)
        seen = await trial.within(_EVENT_SECONDS, _all_of(stream, key), "the Run's end did not come")
        told = [(run.state, run.reason, run.message, run.HasField("start_time")) for run in seen]
        expect(len(set(told)) == len(told), f"{len(told)} snapshots came of {len(set(told))} states")


async def _all_of(stream: Stream, key: pb.RunKey) -> list[pb.Run]:
    seen = []
    async for event in stream:
        if event.run.key == key:
            seen.append(event.run)
            if event.run.state >= TERMINAL:
                break
    return seen
