"""`make bench`: measures the system and a bare client side by side; prints a table and, last, JSON."""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from kruntimes.kubeconfig import from_files

from kruntimes_core.dev.control_plane import api_module
from kruntimes_core.kube.client import Client
from tests.chaos.stage import krt
from tests.perf import cpu, processes
from tests.perf.figures import Figure, Report
from tests.perf.load import Watcher, bare, in_flight, one_at_a_time, to_code, to_end
from tests.perf.meter import Meter, meter_of
from tests.perf.starting import starting

WIDTH = 64
WARM = 20
IDLE_SECONDS = 10.0
BARE_WRITES = 4
START_SECONDS = 60
EMBEDDED = "kruntimes_core.dev.apiserver"


@dataclass(frozen=True)
class Bound:
    """What the bare client reached: ms until two and three deliveries (p50), and how many per second."""

    two: float
    three: float
    rate: float


@dataclass(frozen=True)
class Size:
    """How many Runs are measured: one at a time, and with 64 in flight."""

    alone: int
    crowd: int


@dataclass(frozen=True)
class Plane:
    """A control plane under measurement."""

    watcher: Watcher
    meter: Meter
    root: int
    """Pid of its first process."""


@contextlib.asynccontextmanager
async def control_plane(data: Path) -> AsyncIterator[float]:
    """Start a control plane with a pool of two members; gives the seconds until it was ready."""
    began = time.perf_counter()
    await krt(
        "dev", "up", "--detach", "--data", str(data), "--runtimes", "bash", "--replicas", "2", "--slots", "32"
    )
    try:
        yield time.perf_counter() - began
    finally:
        await krt("dev", "down", "--data", str(data))


@contextlib.asynccontextmanager
async def bare_server(data: Path) -> AsyncIterator[None]:
    """Start an API server that nobody but the bare client uses."""
    data.mkdir()
    command = [sys.executable, "-m", api_module(), "--data", str(data), "--port", "0"]
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            if not (await server.stdout.readline()).startswith(b"ready "):
                raise RuntimeError("the API server did not start")
        yield
    finally:
        server.terminate()
        await server.wait()


@contextlib.asynccontextmanager
async def watching(data: Path) -> AsyncIterator[Watcher]:
    """Open a client with one watch on the control plane of `data`."""
    async with Client(from_files([data / "kubeconfig"]), "bench") as client, asyncio.TaskGroup() as group:
        watcher = Watcher(client)
        task = group.create_task(watcher.run())
        await watcher.synced()
        yield watcher
        task.cancel()


async def measure(size: Size, home: Path) -> Report:
    """Carry out the whole benchmark."""
    async with bare_server(home / "bare"), watching(home / "bare") as watcher:
        bound = await bare_bound(watcher, size)
    data, began = home / "data", time.perf_counter()
    async with control_plane(data) as up, watching(data) as watcher:
        await one_at_a_time(to_end, watcher, 1)
        first = time.perf_counter() - began
        meter = meter_of(watcher.client, data, real=is_real())
        plane = Plane(watcher, meter, int(json.loads((data / "dev.pid").read_text())["pid"]))
        figures = [
            Figure("krt dev up, cold, until ready", "s", [up]),
            Figure("krt dev up, cold, to first result", "s", [first], expected="< 6, aim 2"),
            *await one_by_one(plane, size.alone, bound),
            *await crowded(plane, size.crowd, bound),
        ]
        # In a thread: the watch goes on meanwhile.
        figures += await asyncio.to_thread(starting, data / "kubeconfig")
        for name, resident in processes.memory(plane.root).items():
            figures.append(Figure(f"resident memory: {name}", "MiB", [resident]))
        figures.append(Figure("idle requests, pool of two", "1/s", [await idle_rate(meter)]))
    return Report({**processes.machine(), "API server": api_module()}, figures)


async def bare_bound(watcher: Watcher, size: Size) -> Bound:
    """Measure what a client reaches that does nothing but make the writes of Runs."""
    await one_at_a_time(bare, watcher, WARM)
    deliveries = await one_at_a_time(bare, watcher, size.alone)
    two = Figure("", "ms", [found.two for found in deliveries]).percentile(50)
    three = Figure("", "ms", [found.three for found in deliveries]).percentile(50)
    return Bound(two, three, await in_flight(bare, watcher, size.crowd, WIDTH))


async def one_by_one(plane: Plane, count: int, bound: Bound) -> list[Figure]:
    """Measure Runs one at a time."""
    await one_at_a_time(to_end, plane.watcher, WARM)
    before = await plane.meter.writes_on_runs()
    ends = await one_at_a_time(to_end, plane.watcher, count)
    writes = (await plane.meter.writes_on_runs() - before) / count
    codes = await one_at_a_time(to_code, plane.watcher, count)
    return [
        Figure("created -> code runs, one at a time", "ms", codes, bound.two, expected("ratio <= 2")),
        Figure(
            "created -> terminal, one at a time", "ms", ends, bound.three, expected("ratio <= 2", "p50 < 40")
        ),
        Figure("writes per Run, at the server", "writes", [writes], BARE_WRITES),
    ]


async def crowded(plane: Plane, count: int, bound: Bound) -> list[Figure]:
    """Measure many Runs at once, and what each process pays for one."""
    before = cpu.used(plane.root)
    rate = await in_flight(to_end, plane.watcher, count, WIDTH)
    spent = cpu.per_run(before, cpu.used(plane.root), count)
    return [
        Figure(
            f"{count} Runs, {WIDTH} in flight", "Runs/s", [rate], bound.rate, expected("ratio >= 0.6", "> 80")
        ),
        *(Figure(f"CPU per Run: {role}", "ms", [value]) for role, value in spent.items()),
        Figure("CPU per Run: all of these", "ms", [sum(spent.values())]),
    ]


def is_real() -> bool:
    """Tell whether a real kube-apiserver is measured, as in `make bench API=real`."""
    return api_module() != EMBEDDED


def expected(real: str, embedded: str = "") -> str:
    """Return what is expected of the API server that is measured."""
    return real if is_real() else embedded


async def idle_rate(meter: Meter) -> float:
    """Return the requests per second that the server answers while nobody wants anything."""
    before = await meter.requests()
    await asyncio.sleep(IDLE_SECONDS)
    # The count itself was a request.
    return (await meter.requests() - before - 1) / IDLE_SECONDS


def main() -> None:
    """Print the report; a figure worse than expected is printed as such and fails nothing."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--alone", type=int, default=200, help="Runs one at a time")
    parser.add_argument("--crowd", type=int, default=500, help="Runs with 64 in flight")
    parser.add_argument("--json", type=Path, help="write the JSON to this file, too")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="krt-bench-"))
    try:
        report = asyncio.run(measure(Size(given.alone, given.crowd), home))
    finally:
        shutil.rmtree(home)
    print(report.table())
    text = json.dumps(report.json())
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
