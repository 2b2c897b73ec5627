"""The asynchronous client with the face of the other one, so that one suite judges both drivers."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import kruntimes
from kruntimes._async_client import AsyncClient
from kruntimes._wire import Request, Response

from tests.unit.sdk.runs import FakeTransport

BOUND = 20.0
PLAIN = (str, int, float, bytes, bool, type(None), kruntimes.Run, kruntimes.Result, list, dict)


class LoopTransport:
    """A fake transport for coroutines."""

    def __init__(self, fake: FakeTransport) -> None:
        self._fake = fake

    async def send(self, request: Request) -> Response:
        return self._fake.send(request)

    async def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        stream = self._fake.stream(request)
        try:
            while (line := await asyncio.to_thread(next, stream, None)) is not None:
                yield line
        finally:
            stream.close()

    async def close(self) -> None:
        self._fake.close()


class Bridged:
    """Anything of the asynchronous client; what it gives to await is waited for."""

    def __init__(self, behind: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._behind, self._loop = behind, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if callable(found):
            return self._call(found)
        return found if isinstance(found, PLAIN) else Bridged(found, self._loop)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over an asynchronous generator; leaving early closes it."""
        end = object()
        try:
            while (given := self._wait(anext, self._behind, end)) is not end:
                yield given
        finally:
            self._wait(self._behind.aclose)

    def _call(self, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            given = self._wait(method, *args, **kwargs)
            return given if isinstance(given, PLAIN) else Bridged(given, self._loop)

        return call

    def _wait(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            given = method(*args, **kwargs)
            return await given if inspect.isawaitable(given) else given

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(BOUND)


@contextmanager
def bridged(transport: FakeTransport) -> Iterator[kruntimes.Client]:
    with bridged_on(lambda: AsyncClient(transport=LoopTransport(transport))) as client:
        yield client


@contextmanager
def bridged_on(make: Callable[[], AsyncClient]) -> Iterator[kruntimes.Client]:
    """An asynchronous client on a loop of its own, which must have nothing left to do at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()

    async def begin() -> AsyncClient:
        return make()

    async def left() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()} if task]

    client = asyncio.run_coroutine_threadsafe(begin(), loop).result(BOUND)
    try:
        yield cast(kruntimes.Client, Bridged(client, loop))
    finally:
        asyncio.run_coroutine_threadsafe(client.close(), loop).result(BOUND)
        tasks = asyncio.run_coroutine_threadsafe(left(), loop).result(BOUND)
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(BOUND)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(BOUND)
        loop.close()
    assert tasks == []


def on(client: kruntimes.Client, task: kruntimes.Task[Any, Any]) -> kruntimes.Task[Any, Any]:
    """The task for a client of either kind."""
    if isinstance(client, Bridged):
        return cast(kruntimes.Task[Any, Any], Bridged(task.on(client._behind), client._loop))
    return task.on(client)
