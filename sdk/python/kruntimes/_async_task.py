"""A task for the asynchronous client: the same calls, awaited; its map obeys the same window."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, cast

from kruntimes import _flow
from kruntimes._errors import KruntimesError
from kruntimes._models import Run, RunOptions
from kruntimes._progress import Bar
from kruntimes._window import Item, MapOptions, Plan, plan

if TYPE_CHECKING:
    from kruntimes._async_client import AsyncClient, AsyncHandle
    from kruntimes._payload import Payload
    from kruntimes._task import Task

P = ParamSpec("P")
R = TypeVar("R")
# Creates at one time: more would only queue in the API server.
CREATORS = 8


class AsyncTaskHandle(Generic[R]):
    """One call under way; `run` is the handle of its Run."""

    def __init__(self, run: AsyncHandle) -> None:
        self.run = run

    async def result(self, timeout: float | None = None) -> R:
        """Wait for what the function returned; raises TaskFailed for what it raised."""
        return cast(R, _flow.task_value(await self.run.result(timeout)))

    async def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end, however it is."""
        return await self.run.wait(timeout)

    async def cancel(self) -> None:
        """Ask for its end."""
        await self.run.cancel()

    def __repr__(self) -> str:
        return f"AsyncTaskHandle({self.run.namespace}/{self.run.name})"


class AsyncTask(Generic[P, R]):
    """A task bound to an asynchronous client."""

    def __init__(self, task: Task[P, R], client: AsyncClient) -> None:
        self._task, self._client = task, client

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self._task(*args, **kwargs)

    async def remote(self, *args: P.args, **kwargs: P.kwargs) -> AsyncTaskHandle[R]:
        """Call it in the pool; returns when the Run is created."""
        options = self._task.call_options(args, kwargs)
        await self._check()
        return AsyncTaskHandle(await self._client.run(self._task.runtime, **options))

    def map(self, items: Iterable[Any], **options: Unpack[MapOptions]) -> AsyncGenerator[R, None]:
        """Call it for each item, many at a time, and give what it returns; see MapOptions.

        Leaving the loop early cancels what is under way: at once within `contextlib.aclosing`, else
        when the loop gets to closing the generator.
        """
        return self._values(plan(items, options, Bar()), self._task.payload())

    async def _values(self, planned: Plan, packed: Payload) -> AsyncGenerator[R, None]:
        await self._check()
        window, items, more = planned.window(), iter(planned.items), True
        creating = asyncio.Semaphore(CREATORS)
        running: dict[asyncio.Task[Item], int] = {}
        try:
            while more or running:
                while more and window.has_room:
                    try:
                        item = next(items)
                    except StopIteration:
                        more = False
                    else:
                        running[asyncio.create_task(self._one(item, packed, creating))] = window.begin()
                if running:
                    ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in ended:
                        window.end(running.pop(task), task.result())
                        planned.tell(window)
                for outcome in window.hand_over():
                    yield planned.value_of(outcome)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, item: Any, packed: Payload, creating: asyncio.Semaphore) -> Item:
        """See one item to its end; cancelled itself, it cancels its Run."""
        try:
            options = self._task.call_options((item,), {}, packed)
            async with creating:
                run = await self._create(options)
        except Exception as error:  # told to whoever asks for the value
            return Item(error=error)
        try:
            return Item(_flow.task_value(await run.result()))
        except KruntimesError as error:
            return Item(error=error)
        except asyncio.CancelledError:
            await _cancel(run)
            raise

    async def _create(self, options: RunOptions) -> AsyncHandle:
        making = asyncio.create_task(self._client.run(self._task.runtime, **options))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            with contextlib.suppress(KruntimesError):
                await _cancel(await making)
            raise

    async def _check(self) -> None:
        await self._client.check_runtime(
            self._task.runtime, namespace=self._task.run_options.get("namespace")
        )


async def _cancel(run: AsyncHandle) -> None:
    """Cancel what nobody waits for any more, as well as it can be done."""
    with contextlib.suppress(KruntimesError):
        await run.cancel()
