"""Does something anew whenever it is wished for; what was under way for the wish before is given up."""

import asyncio
from collections.abc import Awaitable, Callable


class _Renewed(Exception):
    """The wish was made again."""


async def serve_wishes(wish: asyncio.Event, act: Callable[[], Awaitable[None]]) -> None:
    """Act on each wish until cancelled; a wish made while acting ends that and begins anew."""
    while True:
        await wish.wait()
        wish.clear()
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(_watch(wish))
                await act()
                renewal.cancel()
        except* _Renewed:
            pass


async def _watch(wish: asyncio.Event) -> None:
    await wish.wait()
    raise _Renewed
