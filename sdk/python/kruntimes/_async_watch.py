"""One watch that any number of coroutines wait on, begun when needed and gone on with when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._flow import Object
from kruntimes._follow import Following, Slot, Slots, again_after, may_pass
from kruntimes._wire import AsyncTransport

List = Callable[[str, Mapping[str, str]], Awaitable[tuple[list[Object], str]]]
LoopSlot = Slot[asyncio.Event]


class AsyncWatch:
    """Follows the Runs of one selector in one namespace.

    It ends when the last who needs it leaves, and begins again where it was for the next. A `lasting` one
    goes on until the server ends it, since the client's next Run is likely to want it.
    """

    def __init__(
        self, transport: AsyncTransport, list_all: List, following: Following, *, lasting: bool
    ) -> None:
        self._transport, self._list, self._following = transport, list_all, following
        self._lasting = lasting
        self._slots = Slots(asyncio.Event)
        self._task: asyncio.Task[None] | None = None
        self._waiting = 0

    def slot(self, name: str, uid: str = "") -> LoopSlot:
        """Return the slot of a Run, from now on filled by whatever the watch hears."""
        return self._slots.of(name, uid)

    def start(self, position: str) -> bool:
        """See that the watch runs; True when it begins at `position`, False when it is elsewhere already."""
        resting = self._task is None or self._task.done()
        fresh = resting and not self._following.position
        if fresh:
            self._following.position = position
        if resting:
            self._task = asyncio.create_task(self._run(), name="kruntimes-watch")
        return fresh

    @contextlib.asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """Keep it going, once it runs, for as long as the block."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and not self._lasting:
                await self._end()

    async def wait(self, slot: LoopSlot, timeout: float | None) -> Object:
        """Return the Run at its end, if the watch runs meanwhile; raises WaitTimeout after `timeout`."""
        try:
            async with asyncio.timeout(timeout):
                await slot.settled.wait()
        except TimeoutError:
            raise slot.late(timeout) from None
        return slot.outcome()

    async def close(self) -> None:
        """End the watch; whoever still waits is told."""
        await self._end()
        self._slots.fail_all(Unreachable("the client was closed"))

    async def _end(self) -> None:
        # Let go of before it has ended: who comes meanwhile begins another, from where this one stopped.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        """Follow for as long as anybody waits; the task's whole life."""
        failures = 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._follow_once()
                failures = 0 if clock() - began > 1 else failures + 1
            except KruntimesError as error:
                if may_pass(error):
                    failures += 1
                else:
                    self._slots.fail_all(error)
            if not self._waiting:
                return  # what comes later is read from where it stopped
            await asyncio.sleep(again_after(failures))

    async def _follow_once(self) -> None:
        following = self._following
        if not following.position:
            found, position = await self._list(following.path, following.selector)
            self._slots.tell(following.relisted(found, position))
        async with contextlib.aclosing(self._transport.stream(following.request())) as lines:
            async for line in lines:
                news = following.feed(line)
                if news is not None:
                    self._slots.tell([news])
