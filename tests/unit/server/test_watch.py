"""Watch streams: opening order, the newest snapshot only, bounded news, who is ended."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable

import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.server import Refusal, RunKey
from kruntimes.server.watch import Stream, Watchers


class FakeSource:
    """Runs as a table of revisions."""

    def __init__(self, **runs: int) -> None:
        self.runs = {RunKey(uid, 1): revision for uid, revision in runs.items()}
        self.accepts = 1
        self.taken = 0

    def keys(self) -> Iterable[RunKey]:
        return self.runs

    def revision(self, key: RunKey) -> int | None:
        return self.runs.get(key)

    def snapshot(self, key: RunKey) -> pb.Run:
        return pb.Run(key=pb.RunKey(run_uid=key.uid), revision=self.runs[key])

    def status(self) -> status_pb2.ServerStatus:
        self.taken += 1
        return status_pb2.ServerStatus(accept_state=status_pb2.AcceptState.ValueType(self.accepts))

    def standing(self) -> Hashable:
        return self.accepts


def said(event: rpc.WatchResponse) -> str:
    """One event as a short word."""
    kind = event.WhichOneof("event")
    if kind == "run":
        return f"{event.run.key.run_uid}@{event.run.revision}"
    if kind == "forgotten":
        return f"-{event.forgotten.run_uid}"
    if kind == "snapshot_end":
        return f"end {event.snapshot_end.runs}"
    return str(kind)


async def take(events: AsyncIterator[rpc.WatchResponse], count: int) -> list[str]:
    async with asyncio.timeout(5):
        return [said(await anext(events)) for _ in range(count)]


async def open_stream(
    source: FakeSource, heartbeat: float = 60
) -> tuple[Stream, AsyncIterator[rpc.WatchResponse]]:
    stream = Stream(source, heartbeat)
    return stream, stream.events()


async def test_a_stream_opens_with_the_server_then_every_run_then_the_end_of_the_snapshot() -> None:
    _, events = await open_stream(FakeSource(a=3, b=1))
    assert await take(events, 4) == ["server", "a@3", "b@1", "end 2"]


async def test_only_the_newest_snapshot_of_a_run_is_sent_and_never_twice() -> None:
    source = FakeSource(a=1)
    stream, events = await open_stream(source)
    await take(events, 3)
    for revision in (2, 3, 4):
        source.runs[RunKey("a", 1)] = revision
        stream.changed(RunKey("a", 1), at_once=False)
    stream.changed(RunKey("a", 1), at_once=True)
    assert await take(events, 1) == ["a@4"]
    stream.changed(RunKey("a", 1), at_once=True)
    source.runs[RunKey("b", 1)] = 1
    stream.changed(RunKey("b", 1), at_once=True)
    assert await take(events, 1) == ["b@1"]


async def test_what_may_wait_comes_by_itself() -> None:
    source = FakeSource(a=1)
    stream, events = await open_stream(source)
    await take(events, 3)
    source.runs[RunKey("a", 1)] = 2
    stream.changed(RunKey("a", 1), at_once=False)
    assert await take(events, 1) == ["a@2"]


async def test_changes_while_the_snapshot_is_sent_follow_it() -> None:
    source = FakeSource(a=1, b=1)
    stream, events = await open_stream(source)
    assert await take(events, 2) == ["server", "a@1"]
    source.runs[RunKey("a", 1)] = 2
    source.runs[RunKey("b", 1)] = 7
    source.runs[RunKey("c", 1)] = 1
    for uid in "abc":
        stream.changed(RunKey(uid, 1), at_once=True)
    assert await take(events, 4) == ["b@7", "end 2", "a@2", "c@1"]


async def test_a_run_forgotten_before_it_was_sent_is_left_out_of_the_snapshot() -> None:
    source = FakeSource(a=1, b=1)
    stream, events = await open_stream(source)
    assert await take(events, 1) == ["server"]
    del source.runs[RunKey("b", 1)]
    stream.forgotten(RunKey("b", 1))
    assert await take(events, 3) == ["a@1", "end 1", "-b"]


async def test_nothing_of_a_key_follows_after_forgotten() -> None:
    source = FakeSource(a=1)
    stream, events = await open_stream(source)
    await take(events, 3)
    source.runs[RunKey("a", 1)] = 2
    stream.changed(RunKey("a", 1), at_once=False)
    del source.runs[RunKey("a", 1)]
    stream.forgotten(RunKey("a", 1))
    source.runs[RunKey("b", 1)] = 1
    stream.changed(RunKey("b", 1), at_once=True)
    assert await take(events, 2) == ["-a", "b@1"]


async def test_news_for_a_stalled_reader_stay_bounded() -> None:
    source = FakeSource()
    stream, events = await open_stream(source)
    await take(events, 2)
    for number in range(20_000):
        key = RunKey(f"r{number}", 1)
        stream.changed(key, at_once=True)
        stream.forgotten(key)
    assert len(stream._pending) + len(stream._forgotten) <= 4096
    stream.close()


async def test_another_accept_state_is_sent_and_a_flip_and_back_is_not() -> None:
    source = FakeSource()
    stream, events = await open_stream(source)
    await take(events, 2)
    source.accepts = 3
    stream.status_changed(at_once=True)
    assert await take(events, 1) == ["server"]
    taken = source.taken
    source.accepts = 2
    stream.status_changed(at_once=True)
    source.accepts = 3
    stream.status_changed(at_once=True)
    source.runs[RunKey("a", 1)] = 1
    stream.changed(RunKey("a", 1), at_once=True)
    assert await take(events, 1) == ["a@1"]
    assert source.taken == taken
    stream.close()


async def test_a_silent_stream_sends_heartbeats() -> None:
    _, events = await open_stream(FakeSource(), heartbeat=0.01)
    assert await take(events, 4) == ["server", "end 0", "heartbeat", "heartbeat"]


async def test_one_stream_too_many_ends_the_oldest_and_no_other() -> None:
    source = FakeSource()
    watchers = Watchers(source, most=2)
    opened = [watchers.open(60).events() for _ in range(2)]
    for events in opened:
        await take(events, 2)
    newest = watchers.open(60).events()
    await take(newest, 2)
    with pytest.raises(Refusal) as ended:
        await take(opened[0], 1)
    assert (ended.value.code, ended.value.reason) == ("ABORTED", "STREAM_REPLACED")
    source.runs[RunKey("a", 1)] = 1
    watchers.changed(RunKey("a", 1), at_once=True)
    assert await take(opened[1], 1) == ["a@1"]
    assert await take(newest, 1) == ["a@1"]
