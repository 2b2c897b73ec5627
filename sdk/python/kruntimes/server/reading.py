"""ReadOutput: several channels as one stream of chunks, each from its own offset. Changes nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.server.author import CHANNELS
from kruntimes.server.bounds import CHUNK_BYTES, HEARTBEAT_SECONDS
from kruntimes.server.refusals import refusal
from kruntimes.server.snapshots import timestamp
from kruntimes.server.spool import Output


@dataclass(slots=True)
class _Cursor:
    channel: str
    offset: int


def check_request(request: rpc.ReadOutputRequest) -> None:
    """Refuse INVALID_ARGUMENT a request that no Run could answer."""
    names = [cursor.channel for cursor in request.cursors]
    if not names:
        raise refusal("FIELD_INVALID", field="cursors", why="are missing; name at least one channel")
    if len(set(names)) < len(names):
        raise refusal("FIELD_INVALID", field="cursors", why="name a channel twice")
    if any(cursor.offset < 0 for cursor in request.cursors):
        raise refusal("FIELD_INVALID", field="cursors", why="have a negative offset")
    if request.limit_bytes < 0:
        raise refusal("FIELD_INVALID", field="limit_bytes", why="is negative")


@dataclass(slots=True)
class Reading:
    """One reader of one Run. `left` is how many bytes it may still be sent; None means no bound."""

    output: Output
    follow: bool
    left: int | None
    cursors: list[_Cursor]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, output: Output, request: rpc.ReadOutputRequest) -> "Reading":
        """The reader a checked request asks for. Refuses an unknown channel and an offset past the end."""
        for cursor in request.cursors:
            if cursor.channel not in CHANNELS:
                known = ", ".join(CHANNELS)
                raise refusal("CHANNEL_UNKNOWN", channel=cursor.channel[:64], known=known)
            end = output.channel(cursor.channel).end
            if cursor.offset > end:
                raise refusal("OFFSET_PAST_END", channel=cursor.channel, offset=cursor.offset, end=end)
        cursors = [_Cursor(cursor.channel, cursor.offset) for cursor in request.cursors]
        return cls(output, request.follow, request.limit_bytes or None, cursors)

    async def parts(self) -> AsyncGenerator[rpc.ReadOutputResponse, None]:
        """Chunks, one end per channel that is closed, and heartbeats while following in silence."""
        self.output.listeners.append(self._wake.set)
        try:
            while not self.output.gone and self.cursors and self.left != 0:
                self._wake.clear()
                progress = False
                for cursor in list(self.cursors):
                    if (part := self._part(cursor)) is not None:
                        progress = True
                        yield part
                if progress:
                    continue
                if not self.follow:
                    return
                if not await self._woken():
                    yield rpc.ReadOutputResponse(heartbeat=rpc.Heartbeat(time=timestamp(time.time())))
        finally:
            self.output.listeners.remove(self._wake.set)

    def _part(self, cursor: _Cursor) -> rpc.ReadOutputResponse | None:
        """The next part of one channel; None when it has nothing now."""
        channel = self.output.channel(cursor.channel)
        most = CHUNK_BYTES if self.left is None else min(CHUNK_BYTES, self.left)
        offset, data, skipped = channel.read(cursor.offset, most)
        if data:
            cursor.offset = offset + len(data)
            if self.left is not None:
                self.left -= len(data)
            chunk = rpc.OutputChunk(channel=cursor.channel, offset=offset, data=data, skipped_bytes=skipped)
            return rpc.ReadOutputResponse(chunk=chunk)
        if self.output.closed and not self.output.gone and self.left != 0:
            self.cursors.remove(cursor)
            end = rpc.OutputEnd(channel=cursor.channel, total_bytes=channel.end, truncated=channel.truncated)
            return rpc.ReadOutputResponse(end=end)
        return None

    async def _woken(self) -> bool:
        """Wait for more; False when nothing came for as long as a reader should be left in silence."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True
