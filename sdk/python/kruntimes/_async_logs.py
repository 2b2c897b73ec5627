"""Drives one reading of a Run's output on a loop: a task for the log, one for the Run, and no rule."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

from kruntimes import frames
from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._flow import Object
from kruntimes._follow import again_after
from kruntimes._reading import Reading, follow_run, list_again, listed
from kruntimes._transcript import LogPiece
from kruntimes._wire import AsyncTransport, Request, accepted

AHEAD = 256
AGAIN_SECONDS = 0.5

Act = Callable[[], list[LogPiece]]
Source = asyncio.Task[None]


async def read_output(
    transport: AsyncTransport, found: Object, follow: bool
) -> AsyncGenerator[LogPiece, None]:
    """Give a Run's output piece by piece; with `follow`, until its end."""
    reading = Reading(found, follow)
    for piece in reading.begin():
        yield piece
    if reading.over:
        return
    listening = _Listening(transport, reading, found)
    try:
        while not reading.over:
            for piece in await listening.hear():
                yield piece
    finally:
        await listening.close()


class _Listening:
    """The tasks of one reading, and the order in which they are heard."""

    def __init__(self, transport: AsyncTransport, reading: Reading, found: Object) -> None:
        self._transport, self._reading, self._found = transport, reading, found
        self._mail: asyncio.Queue[tuple[Source | None, Act]] = asyncio.Queue(AHEAD)
        self._clock = asyncio.get_running_loop().time
        self._log: Source | None = None
        self._log_request: Request | None = None
        self._log_again = 0.0
        self._heard, self._since = reading.heard, self._clock()
        self._watch = asyncio.create_task(self._follow_run()) if reading.follow else None

    async def hear(self) -> list[LogPiece]:
        """Wait for what comes next, and return what it brings."""
        await self._tend_log()
        pieces = (await self._next())()
        if self._reading.heard != self._heard or self._reading.patience is None:
            self._heard, self._since = self._reading.heard, self._clock()
        return pieces

    async def close(self) -> None:
        """End the tasks."""
        for source in (self._watch, self._log):
            await _end(source)

    async def _next(self) -> Act:
        """Return what comes next: news, a line, silence for too long, or time to try the log again."""
        patience = self._reading.patience
        times = [self._log_again] if self._log is None and self._reading.wants else []
        if patience is not None:
            times.append(self._since + patience)
        try:
            async with asyncio.timeout_at(min(times) if times else None):
                source, act = await self._mail.get()
        except TimeoutError:
            over = patience is not None and self._clock() >= self._since + patience
            return self._reading.silent if over else _nothing
        return act if source in (self._watch, self._log) else _nothing

    async def _tend_log(self) -> None:
        """Read the log that is wanted, and no other."""
        wanted = self._reading.wants
        if self._log is not None and wanted != self._log_request:
            await _end(self._log)
            self._log, self._log_again = None, 0.0
        if wanted is not None and self._log is None and self._clock() >= self._log_again:
            self._log_request = wanted
            self._log = asyncio.create_task(self._read_log(wanted))

    def _log_is_over(self, error: KruntimesError | None = None) -> list[LogPiece]:
        self._log = None
        self._log_again = self._clock() + AGAIN_SECONDS
        return self._reading.log_failed(error) if error else self._reading.log_ended()

    # In tasks of their own.

    async def _read_log(self, request: Request) -> None:
        error = None
        try:
            async with contextlib.aclosing(self._transport.stream(request)) as lines:
                async for line in lines:
                    if line.startswith(frames.MARK):
                        await self._put(partial(self._reading.feed, line))
        except KruntimesError as failed:
            error = failed
        await self._put(partial(self._log_is_over, error))

    async def _follow_run(self) -> None:
        following = follow_run(self._found)
        failures = 0
        while True:
            try:
                if not following.position:
                    answer = accepted(await self._transport.send(list_again(following)))
                    await self._put(partial(self._reading.see, listed(following, answer)))
                async with contextlib.aclosing(self._transport.stream(following.request())) as lines:
                    async for line in lines:
                        failures = 0
                        if (news := following.feed(line)) is not None:
                            await self._put(partial(self._reading.see, None if news.gone else news.object))
            except Unreachable:
                failures += 1
            except KruntimesError as error:
                await self._put(partial(_fail, error))
                return
            await asyncio.sleep(again_after(failures))

    async def _put(self, act: Act) -> None:
        await self._mail.put((asyncio.current_task(), act))


async def _end(source: Source | None) -> None:
    if source is not None:
        source.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await source


def _nothing() -> list[LogPiece]:
    return []


def _fail(error: KruntimesError) -> Any:
    raise error
