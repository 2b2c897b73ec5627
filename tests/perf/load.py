"""Clients that put load on a control plane: whole Runs, and beside them the bare writes."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed
from kruntimes_core.kube.watch import Event, Reflector, Selection, Synced
from tests.chaos.observer import SeenRun, decode_run
from tests.chaos.verdict import TERMINAL_PHASES

NAMESPACE = "default"
PATIENCE = 60.0


class Watcher:
    """One watch on all Runs; wakes whoever waits for a version of one of them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._last: dict[str, SeenRun] = {}
        self._waiting: dict[str, tuple[Callable[[SeenRun], bool], asyncio.Future[SeenRun]]] = {}
        self._synced = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        await Reflector(self.client, Selection(RUN), decode_run, self._tell).run()

    async def synced(self) -> None:
        """Return when the watch is open."""
        await self._synced.wait()

    async def seen(self, name: str, condition: Callable[[SeenRun], bool]) -> SeenRun:
        """Return the first version of the Run that the watch delivers and `condition` accepts."""
        last = self._last.get(name)
        if last is not None and condition(last):
            return last
        future: asyncio.Future[SeenRun] = asyncio.get_running_loop().create_future()
        self._waiting[name] = condition, future
        async with asyncio.timeout(PATIENCE):
            return await future

    def forget(self, name: str) -> None:
        """Let go of a Run that is done with."""
        self._last.pop(name, None)

    def _tell(self, events: Sequence[Event[SeenRun]]) -> None:
        for event in events:
            if isinstance(event, Synced):
                self._synced.set()
            elif isinstance(event, Changed):
                self._note(event.object)

    def _note(self, seen: SeenRun) -> None:
        name = seen.name
        self._last[name] = seen
        condition, future = self._waiting.get(name, (None, None))
        if condition is not None and future is not None and condition(seen):
            del self._waiting[name]
            if not future.done():
                future.set_result(seen)


def run_object(name: str, runtime: str) -> Mapping[str, Any]:
    """Return a Run of the empty command."""
    spec = {"runtime": runtime, "mode": {"task": {"args": ["true"]}}}
    return {"apiVersion": RUN.api_version, "kind": RUN.name, "metadata": {"name": name}, "spec": spec}


async def through_the_system(watcher: Watcher, name: str) -> float:
    """Create a Run, wait until the watch shows its end, delete it; return the ms from create to end."""
    began = time.perf_counter()
    await watcher.client.create(RUN, NAMESPACE, run_object(name, "bash"))
    ended = await watcher.seen(name, lambda seen: seen.status.phase in TERMINAL_PHASES)
    took = (time.perf_counter() - began) * 1000
    if ended.status.phase != "Succeeded":
        raise RuntimeError(f"{name} ended {ended.status.phase}: {ended.status.reason}")
    await watcher.client.delete(RUN.named(NAMESPACE, name))
    watcher.forget(name)
    return took


async def bare(watcher: Watcher, name: str) -> float:
    """Make the writes that a Run costs, each after the delivery of the one before; return the same ms."""
    ref = RUN.named(NAMESPACE, name)
    began = time.perf_counter()
    await watcher.client.create(RUN, NAMESPACE, run_object(name, "nobody"))
    await watcher.seen(name, lambda seen: True)
    for phase, status in _BARE_STATUS.items():
        await watcher.client.patch_status(ref, {"status": {"phase": phase, **status}})
        await watcher.seen(name, lambda seen, phase=phase: seen.status.phase == phase)  # type: ignore[misc]
    took = (time.perf_counter() - began) * 1000
    await watcher.client.delete(ref)
    watcher.forget(name)
    return took


async def one_at_a_time(work: Callable[[Watcher, str], Any], watcher: Watcher, count: int) -> list[float]:
    """Return the ms of each, one after the other."""
    return [await work(watcher, f"alone-{index}") for index in range(count)]


async def in_flight(work: Callable[[Watcher, str], Any], watcher: Watcher, count: int, width: int) -> float:
    """Return how many are done per second with `width` under way."""
    numbers = itertools.count()

    async def lane() -> None:
        while (index := next(numbers)) < count:
            await work(watcher, f"crowd-{index}")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(lane())
    return count / (time.perf_counter() - began)


_TIME = "2026-01-01T00:00:00.000000Z"
_TAIL = {"bytes": 0, "truncated": False}
# As large as what scheduler and daemon write.
_BARE_STATUS: Mapping[str, Mapping[str, Any]] = {
    "Scheduled": {
        "attempt": 1,
        "assignedPod": "kruntimes-bash-0123456789-abcde",
        "assignedPodUID": "01234567-89ab-cdef-0123-456789abcdef",
        "assignedInstance": "01234567-89ab-cdef-0123-456789abcdef",
        "timings": {"queued": _TIME, "assigned": _TIME},
    },
    "Succeeded": {
        "startTime": _TIME,
        "completionTime": _TIME,
        "exitCode": 0,
        "timings": {"delivered": _TIME, "started": _TIME, "ended": _TIME, "stored": _TIME},
        "output": {"stdout": _TAIL, "stderr": _TAIL},
    },
}
