"""`make bench`: measures the system and a bare client side by side; prints a table and, last, JSON."""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from kruntimes.kubeconfig import from_files

from kruntimes_core.kube.client import Client, Request
from tests.chaos.stage import krt
from tests.perf import processes
from tests.perf.figures import Figure, Report
from tests.perf.load import Watcher, bare, in_flight, one_at_a_time, through_the_system

WIDTH = 64
IDLE_SECONDS = 10.0
BARE_WRITES = 4
WRITES = ("create", "update", "patch", "delete")


@dataclass(frozen=True)
class Bound:
    """What the bare client reached: ms to the end of one (p50), and how many per second."""

    alone: float
    rate: float


@contextlib.asynccontextmanager
async def control_plane(data: Path) -> AsyncIterator[float]:
    """Start a control plane with a pool of two members; gives the seconds until it was ready."""
    began = time.perf_counter()
    await krt("dev", "up", "--detach", "--data", str(data), "--replicas", "2", "--slots", "32")
    try:
        yield time.perf_counter() - began
    finally:
        await krt("dev", "down", "--data", str(data))


@contextlib.asynccontextmanager
async def bare_server(data: Path) -> AsyncIterator[None]:
    """Start an API server that nobody but the bare client uses."""
    data.mkdir()
    command = [sys.executable, "-m", "kruntimes_core.dev.apiserver", "--data", str(data), "--port", "0"]
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        async with asyncio.timeout(30):
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


async def counts(client: Client) -> Mapping[str, int]:
    """Return how many requests of each verb and resource the server has answered."""
    body = msgspec.json.decode(await client.send(Request("GET", "/debug/requests")))
    totals: dict[str, int] = {}
    for row in body["requests"]:
        key = f"{row['verb']} {row['resource']}"
        totals[key] = totals.get(key, 0) + row["count"]
    return totals


def writes(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Return the writes on Runs between two counts."""
    grown = {key: after[key] - before.get(key, 0) for key in after}
    return sum(count for key, count in grown.items() if key.split()[0] in WRITES and " runs" in key)


async def measure(alone: int, crowd: int, home: Path) -> Report:
    """Carry out the whole benchmark."""
    async with bare_server(home / "bare"), watching(home / "bare") as watcher:
        await one_at_a_time(bare, watcher, 20)
        times = await one_at_a_time(bare, watcher, alone)
        bound = Bound(Figure("", "ms", times).percentile(50), await in_flight(bare, watcher, crowd, WIDTH))
    data, began = home / "data", time.perf_counter()
    async with control_plane(data) as up, watching(data) as watcher:
        await through_the_system(watcher, "first")
        first = time.perf_counter() - began
        figures = [
            Figure("krt dev up, cold, until ready", "s", [up]),
            Figure("krt dev up, cold, to first result", "s", [first], expected="< 6, aim 2"),
            *await throughput(watcher, alone, crowd, bound),
        ]
        root = int(json.loads((data / "dev.pid").read_text())["pid"])
        for name, resident in processes.memory(root).items():
            figures.append(Figure(f"resident memory: {name}", "MiB", [resident]))
        figures.append(Figure("idle requests, pool of two", "1/s", [await idle_rate(watcher.client)]))
    return Report(processes.machine(), figures)


async def throughput(watcher: Watcher, alone: int, crowd: int, bound: Bound) -> list[Figure]:
    """Measure Runs one at a time and many at once."""
    before = await counts(watcher.client)
    times = await one_at_a_time(through_the_system, watcher, alone)
    each = writes(before, await counts(watcher.client)) / alone
    rate = await in_flight(through_the_system, watcher, crowd, WIDTH)
    crowded = f"{crowd} Runs, {WIDTH} in flight"
    return [
        Figure("created -> terminal, one at a time", "ms", times, bound.alone, "p50 < 40"),
        Figure("writes per Run, at the server", "writes", [each], BARE_WRITES),
        Figure(crowded, "Runs/s", [rate], bound.rate, "> 80"),
    ]


async def idle_rate(client: Client) -> float:
    """Return the requests per second that the server answers while nobody wants anything."""
    before = sum((await counts(client)).values())
    await asyncio.sleep(IDLE_SECONDS)
    # The count itself was a request.
    return (sum((await counts(client)).values()) - before - 1) / IDLE_SECONDS


def main() -> None:
    """Print the report; a figure worse than expected is printed as such and fails nothing."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--alone", type=int, default=200, help="Runs one at a time")
    parser.add_argument("--crowd", type=int, default=500, help="Runs with 64 in flight")
    parser.add_argument("--json", type=Path, help="write the JSON to this file, too")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="krt-bench-"))
    try:
        report = asyncio.run(measure(given.alone, given.crowd, home))
    finally:
        shutil.rmtree(home)
    print(report.table())
    text = json.dumps(report.json())
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
