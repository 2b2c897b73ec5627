"""Cancelling coroutines of the asynchronous client: nothing is left behind, and nothing else is hurt."""

import asyncio
import contextlib

import kruntimes
import pytest
from kruntimes import testing
from kruntimes._wire import Request, Response
from kruntimes.testing import NEVER

BOUND = 20.0


@kruntimes.task()
def wait_for(x: int) -> int:
    return x


async def until_runs(cluster: testing.Cluster, number: int) -> None:
    async with asyncio.timeout(BOUND):
        while len(cluster.runs) < number:
            await asyncio.sleep(0)


async def test_a_cancelled_wait_leaves_the_others_waiting() -> None:
    cluster = testing.Cluster()
    cluster.script("bash", NEVER)
    async with cluster.async_client() as client:
        handle = await client.run("bash")
        first, second = (asyncio.create_task(handle.wait(BOUND)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await handle.cancel()
        assert (await second).phase == "Cancelled"


async def test_a_cancelled_map_cancels_its_runs() -> None:
    cluster = testing.Cluster()
    cluster.script("python", NEVER)
    async with cluster.async_client() as client:

        async def collect() -> list[int]:
            async with contextlib.aclosing(wait_for.on(client).map(range(50), in_flight=5)) as values:
                return [value async for value in values]

        collecting = asyncio.create_task(collect())
        await until_runs(cluster, 5)
        collecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await collecting
    assert [run.phase for run in cluster.runs] == ["Cancelled"] * 5


class SlowTransport:
    """Makes a Run, and answers only when it is told to."""

    def __init__(self, cluster: testing.Cluster) -> None:
        self._behind = testing._AsyncTransport(cluster)
        self.stream, self.close = self._behind.stream, self._behind.close
        self.may_answer = asyncio.Event()

    async def send(self, request: Request) -> Response:
        answer = await self._behind.send(request)
        if request.method == "POST":
            await self.may_answer.wait()
        return answer


async def test_a_run_that_was_just_being_made_is_cancelled_too() -> None:
    cluster = testing.Cluster()
    cluster.script("python", NEVER)
    transport = SlowTransport(cluster)
    async with kruntimes.AsyncClient(transport=transport) as client:
        values = wait_for.on(client).map([1])
        asking = asyncio.create_task(anext(values))
        await until_runs(cluster, 1)
        asking.cancel()
        await asyncio.sleep(0)
        transport.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert [run.phase for run in cluster.runs] == ["Cancelled"]


async def test_a_closed_client_wakes_who_waits() -> None:
    cluster = testing.Cluster()
    cluster.script("bash", NEVER)
    async with cluster.async_client() as client:
        waiting = asyncio.create_task((await client.run("bash")).wait(BOUND))
        await asyncio.sleep(0)
    with pytest.raises(kruntimes.Unreachable, match="closed"):
        await waiting
