"""A watch goes on for as long as somebody needs it, ends then, and loses nothing to who comes meanwhile."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import kruntimes
import pytest
from kruntimes._async_client import AsyncClient
from kruntimes._wire import Request, Response

from tests.unit.sdk.bridge import bridged
from tests.unit.sdk.runs import FakeTransport, line, make_run
from tests.unit.sdk.test_client import PATIENCE, Server, threaded

BOOKMARK = line("BOOKMARK", {"metadata": {"resourceVersion": "12"}})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def transport(server: Server) -> FakeTransport:
    return FakeTransport(server)


@pytest.fixture(params=[threaded, bridged], ids=["threads", "loop"])
def client(request: pytest.FixtureRequest, transport: FakeTransport) -> Iterator[kruntimes.Client]:
    make: Callable[[FakeTransport], AbstractContextManager[kruntimes.Client]] = request.param
    with make(transport) as client:
        yield client


def test_the_watch_of_one_run_ends_with_the_wait_and_is_forgotten(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    for name in ("first", "second"):
        server.runs[name] = make_run(name, "7", "Running")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.result, name, PATIENCE)
            _, stream = transport.opened.get(timeout=PATIENCE)
            stream.lines.put(server.end(name))
            assert waiting.result().succeeded
        assert stream.closed.wait(PATIENCE)
    gc.collect()
    assert not getattr(client, "_behind", client)._watches


def test_a_wait_that_was_given_up_ends_the_watch_and_the_next_goes_on_from_there(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    handle = client.get("theirs")
    with pytest.raises(kruntimes.WaitTimeout):
        handle.wait(0.01)
    for thread in threading.enumerate():
        if thread.name == "kruntimes-watch":
            thread.join(PATIENCE)
            assert not thread.is_alive()
    while not transport.opened.empty():  # the first wait may have come to a stream, or not
        assert transport.opened.get()[1].closed.is_set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.wait, PATIENCE)
        request, stream = transport.opened.get(timeout=PATIENCE)
        assert request.query["resourceVersion"] == "7"
        stream.lines.put(server.end("theirs"))
        assert waiting.result().phase == "Succeeded"


def test_a_watch_outlives_an_api_server_that_comes_up_again(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.result, "theirs", PATIENCE)
        _, stream = transport.opened.get(timeout=PATIENCE)
        stream.lines.put(kruntimes.ApiError("not all paths are there yet", 503))
        _, stream = transport.opened.get(timeout=PATIENCE)
        stream.lines.put(server.end("theirs"))
        assert waiting.result().succeeded


def test_a_watch_that_is_not_allowed_is_told_to_who_waits(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.result, "theirs", PATIENCE)
        _, stream = transport.opened.get(timeout=PATIENCE)
        stream.lines.put(kruntimes.Forbidden("no", 403))
        with pytest.raises(kruntimes.Forbidden):
            waiting.result()


def test_the_clients_own_runs_share_one_watch_one_after_the_other(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    first = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(server.end(first.name))
    assert first.result(PATIENCE).succeeded
    second = client.run("bash")
    stream.lines.put(server.end(second.name))
    assert second.result(PATIENCE).succeeded
    assert transport.opened.empty()


def test_a_thread_that_comes_while_the_watch_is_being_ended_is_served(
    server: Server, transport: FakeTransport
) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    with threaded(transport) as client, ThreadPoolExecutor(2) as pool:
        handle, last = client.get("theirs"), contextlib.ExitStack()
        transport.sent.get(timeout=PATIENCE)
        last.enter_context(handle._watch.needed())
        handle._watch.start("7")
        _, ending = transport.opened.get(timeout=PATIENCE)
        ending.may_close.clear()
        ending.lines.put(BOOKMARK)
        for _ in range(2):
            assert ending.asked.acquire(timeout=PATIENCE)
        leaving = pool.submit(last.close)
        assert ending.closed.wait(PATIENCE)
        coming = pool.submit(handle.wait, PATIENCE)
        transport.sent.get(timeout=PATIENCE)  # it has come: it asks for what the watch may have passed
        ending.may_close.set()
        leaving.result()
        request, stream = transport.opened.get(timeout=PATIENCE)
        assert request.query["resourceVersion"] == "12"
        stream.lines.put(server.end("theirs"))
        assert coming.result().phase == "Succeeded"


class SlowToClose:
    """A transport whose first watch takes its time to end; the second tells of the Run's end."""

    def __init__(self, server: Server) -> None:
        self.opened = 0
        self.closing, self.may_close = asyncio.Event(), asyncio.Event()
        self._server = server

    async def send(self, request: Request) -> Response:
        return self._server(request)

    async def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        self.opened += 1
        if self.opened == 2:
            yield self._server.end("theirs")
            return
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            self.closing.set()
            async with asyncio.timeout(2 * PATIENCE):
                await self.may_close.wait()

    async def close(self) -> None:
        pass


async def test_a_coroutine_that_comes_while_the_watch_is_being_ended_is_served(server: Server) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    transport = SlowToClose(server)
    async with asyncio.timeout(PATIENCE), AsyncClient(transport=transport) as client:
        handle = await client.get("theirs")
        leaving = asyncio.create_task(handle.wait(0.01))
        await transport.closing.wait()
        run = await handle.wait()
        assert (run.phase, transport.opened, leaving.done()) == ("Succeeded", 2, False)
        transport.may_close.set()
        with pytest.raises(kruntimes.WaitTimeout):
            await leaving
