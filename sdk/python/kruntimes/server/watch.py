"""Who is told of what: each stream gets the newest snapshot per Run, and never a queue without bound."""

import asyncio
import time
from collections.abc import AsyncGenerator, Hashable, Iterable
from typing import Final, Protocol

from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.server.author import RunKey
from kruntimes.server.refusals import refusal
from kruntimes.server.snapshots import timestamp

# A short Run passes through its states within this time; one message for three halves what Watch costs.
LINGER_SECONDS: Final = 0.02
CAPACITY_SECONDS: Final = 1.0
MAX_STREAMS: Final = 4
# Keys forgotten before a stalled stream ever heard of them; past it the news of them would be of no use.
_UNSENT_FORGOTTEN: Final = 4096


class Source(Protocol):
    """Where streams read the newest state from."""

    def keys(self) -> Iterable[RunKey]:
        """Every Run not forgotten."""

    def revision(self, key: RunKey) -> int | None:
        """The newest revision of a Run; None when it is not known."""

    def snapshot(self, key: RunKey) -> pb.Run:
        """The newest snapshot of a known Run."""

    def status(self) -> status_pb2.ServerStatus:
        """The newest snapshot of the server."""

    def standing(self) -> Hashable:
        """What of the status is news at once: another value, another accept state or condition."""


class Stream:
    """One Watch: what it was sent, what it is still to be sent, and when it wakes. Times are the loop's."""

    def __init__(self, source: Source, heartbeat: float) -> None:
        self._source = source
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._pending: dict[RunKey, None] = {}
        self._forgotten: dict[RunKey, None] = {}
        self._sent: dict[RunKey, int] = {}
        self._status_pending = False
        self._standing: Hashable = None
        self._status_at = 0.0
        self._over = ""

    def changed(self, key: RunKey, at_once: bool) -> None:
        """A Run has a new revision; unless `at_once` it may wait for the next one."""
        self._pending[key] = None
        if at_once:
            self._wake.set()
        else:
            self._wake_at(self._loop.time() + LINGER_SECONDS)

    def forgotten(self, key: RunKey) -> None:
        """A key was forgotten; nothing of it follows."""
        self._pending.pop(key, None)
        if key in self._sent or len(self._forgotten) < len(self._sent) + _UNSENT_FORGOTTEN:
            self._forgotten[key] = None
        self._wake_at(self._loop.time() + LINGER_SECONDS)

    def status_changed(self, at_once: bool) -> None:
        """The server changed; capacity alone waits until a second has passed since the last time."""
        self._status_pending = True
        linger = self._loop.time() + LINGER_SECONDS
        self._wake_at(linger if at_once else max(linger, self._status_at + CAPACITY_SECONDS))

    def end(self, reason: str) -> None:
        """End the stream by a Refusal of this reason."""
        self._over = reason
        self._wake.set()

    def close(self) -> None:
        """The stream ended; wake nobody."""
        if self._timer is not None:
            self._timer.cancel()

    async def events(self) -> AsyncGenerator[rpc.WatchResponse, None]:
        """Status, every Run, SnapshotEnd, then changes and heartbeats. Ends by Refusal only."""
        yield rpc.WatchResponse(server=self._take_status())
        for key in list(self._source.keys()):
            if (event := self._run(key)) is not None:
                yield event
        yield rpc.WatchResponse(snapshot_end=rpc.SnapshotEnd(runs=len(self._sent)))
        last = self._loop.time()
        while True:
            self._wake_at(last + self._heartbeat)
            await self._wake.wait()
            self._wake.clear()
            if self._over:
                raise refusal(self._over)
            while (event := self._next()) is not None:
                yield event
                last = self._loop.time()
            if self._loop.time() >= last + self._heartbeat:
                yield rpc.WatchResponse(heartbeat=rpc.Heartbeat(time=timestamp(time.time())))
                last = self._loop.time()

    def _next(self) -> rpc.WatchResponse | None:
        while self._forgotten:
            key = next(iter(self._forgotten))
            del self._forgotten[key]
            self._sent.pop(key, None)
            return rpc.WatchResponse(forgotten=pb.RunKey(run_uid=key.uid, attempt=key.attempt))
        while self._pending:
            event = self._run(next(iter(self._pending)))
            if event is not None:
                return event
        if self._status_pending and self._status_due():
            return rpc.WatchResponse(server=self._take_status())
        return None

    def _run(self, key: RunKey) -> rpc.WatchResponse | None:
        self._pending.pop(key, None)
        revision = self._source.revision(key)
        if revision is None or revision == self._sent.get(key):
            return None
        self._sent[key] = revision
        return rpc.WatchResponse(run=self._source.snapshot(key))

    def _take_status(self) -> status_pb2.ServerStatus:
        self._status_pending = False
        self._status_at = self._loop.time()
        self._standing = self._source.standing()
        return self._source.status()

    def _status_due(self) -> bool:
        """At once if its standing changed, else when a second has passed."""
        due = self._status_at + CAPACITY_SECONDS
        if self._standing != self._source.standing() or self._loop.time() >= due:
            return True
        self._wake_at(due)
        return False

    def _wake_at(self, when: float) -> None:
        if self._timer is not None and not self._timer.cancelled():
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._wake.set()


class Watchers:
    """The open streams; one more than `most` ends the oldest, so that a half-open one locks nobody out."""

    def __init__(self, source: Source, most: int = MAX_STREAMS) -> None:
        self._source = source
        self._most = most
        self._streams: list[Stream] = []

    def open(self, heartbeat: float) -> Stream:
        """A new stream; call `close` with it when it has ended."""
        while len(self._streams) >= self._most:
            self._streams.pop(0).end("STREAM_REPLACED")
        stream = Stream(self._source, heartbeat)
        self._streams.append(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """The stream has ended."""
        stream.close()
        if stream in self._streams:
            self._streams.remove(stream)

    def end(self) -> None:
        """End every stream, since the server ends."""
        for stream in self._streams:
            stream.end("SERVER_ENDS")

    def changed(self, key: RunKey, at_once: bool) -> None:
        """Tell every stream of a new revision."""
        for stream in self._streams:
            stream.changed(key, at_once)

    def forgotten(self, key: RunKey) -> None:
        """Tell every stream that a key was forgotten."""
        for stream in self._streams:
            stream.forgotten(key)

    def status_changed(self, at_once: bool) -> None:
        """Tell every stream that the server changed."""
        for stream in self._streams:
            stream.status_changed(at_once)
