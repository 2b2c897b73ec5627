"""Clients that put load on a control plane: whole Runs, and beside them the bare writes."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed
from kruntimes_core.kube.watch import Event, Reflector, Selection, Synced
from tests.chaos.observer import SeenRun, decode_run
from tests.chaos.verdict import TERMINAL_PHASES

T = TypeVar("T")
NAMESPACE = "default"
PATIENCE = 60.0


@dataclass(frozen=True)
class Deliveries:
    """Milliseconds from a create until the watch had shown two writes after each other, and until three."""

    two: float
    three: float


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


Work = Callable[[Watcher, str], Awaitable[T]]


def run_object(name: str, runtime: str, command: str) -> Mapping[str, Any]:
    """Return a Run of one shell command."""
    spec = {"runtime": runtime, "mode": {"task": {"args": [command]}}}
    return {"apiVersion": RUN.api_version, "kind": RUN.name, "metadata": {"name": name}, "spec": spec}


async def to_end(watcher: Watcher, name: str) -> float:
    """Run the empty command and delete the Run; return the ms from create until the watch showed its end."""
    began = time.perf_counter()
    await _through_the_system(watcher, name, "true")
    return (time.perf_counter() - began) * 1000


async def to_code(watcher: Watcher, name: str) -> float:
    """Run a program that says when it ran, by the one clock of this machine; return the ms until then."""
    created = time.time()
    ended = await _through_the_system(watcher, name, "echo $EPOCHREALTIME")
    return (float(ended.status.output.stdout.tail) - created) * 1000


async def _through_the_system(watcher: Watcher, name: str, command: str) -> SeenRun:
    await watcher.client.create(RUN, NAMESPACE, run_object(name, "bash", command))
    ended = await watcher.seen(name, lambda seen: seen.status.phase in TERMINAL_PHASES)
    if ended.status.phase != "Succeeded":
        raise RuntimeError(f"{name} ended {ended.status.phase}: {ended.status.reason}")
    return ended


async def bare(watcher: Watcher, name: str) -> Deliveries:
    """Make the writes that a Run costs, each after the delivery of the one before."""
    ref = RUN.named(NAMESPACE, name)
    began = time.perf_counter()
    await watcher.client.create(RUN, NAMESPACE, run_object(name, "nobody", "true"))
    await watcher.seen(name, lambda seen: True)
    delivered = []
    for phase, status in _BARE_STATUS.items():
        await watcher.client.patch_status(ref, {"status": {"phase": phase, **status}})
        await watcher.seen(name, lambda seen, phase=phase: seen.status.phase == phase)  # type: ignore[misc]
        delivered.append((time.perf_counter() - began) * 1000)
    return Deliveries(*delivered)


async def one_at_a_time(work: Work[T], watcher: Watcher, count: int) -> list[T]:
    """Return what each measured, one after the other."""
    found = []
    for index in range(count):
        name = f"alone-{index}"
        found.append(await work(watcher, name))
        await delete(watcher, name)
    return found


async def in_flight(work: Work[T], watcher: Watcher, count: int, width: int) -> float:
    """Return how many are done per second with `width` under way."""
    numbers = itertools.count()

    async def lane() -> None:
        while (index := next(numbers)) < count:
            await work(watcher, f"crowd-{index}")
            await delete(watcher, f"crowd-{index}")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(lane())
    return count / (time.perf_counter() - began)


async def delete(watcher: Watcher, name: str) -> None:
    """Delete a Run that is done with."""
    await watcher.client.delete(RUN.named(NAMESPACE, name))
    watcher.forget(name)


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
