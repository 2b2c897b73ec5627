"""Runs assigned to the member: each change is told, and a new list tells what went away meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.runs import AssignedRuns
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.machine import Daemon, Seat
from kruntimes_core.kube.client import Client
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Run
from tests.fakes import FakeApi


class Listening(Daemon):
    """A machine that only notes what it is told of Runs."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.news = asyncio.Event()

    def run_changed(self, run: Run, now: Instant) -> None:
        self.note(f"{run.uid} {run.spec['stdin']}")

    def run_gone(self, uid: str, now: Instant) -> None:
        self.note(f"{uid} gone")

    def runs_synced(self, now: Instant) -> None:
        self.note("synced")

    def note(self, what: str) -> None:
        self.heard.append(what)
        self.news.set()

    async def until(self, *want: str) -> None:
        async with asyncio.timeout(5):
            while len(self.heard) < len(want):
                self.news.clear()
                await self.news.wait()
        assert self.heard == list(want)
        self.heard.clear()


@asynccontextmanager
async def following() -> AsyncIterator[tuple[FakeApi, AssignedRuns, Listening]]:
    machine = Listening()
    async with FakeApi.started() as api, Client(api.access, "test") as client:
        runs = AssignedRuns(client, Seat("default", "pod", "pod-uid", "fake"), Driver(machine, SystemClock()))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(runs.run())
            yield api, runs, machine
            task.cancel()


def put(api: FakeApi, name: str, stdin: str) -> dict[str, object]:
    metadata = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return api.set(name, metadata=metadata, spec={"runtime": "fake", "stdin": stdin})


async def test_nothing_is_asked_for_before_it_is_wanted_and_then_only_our_own() -> None:
    async with following() as (api, runs, machine):
        put(api, "a", "1")
        runs.wanted.set()
        await machine.until("uid-a 1", "synced")
        await api.until(lambda: len(api.watches) == 1)

        assert {query["fieldSelector"] for _, _, query, _ in api.requests} == {"status.assignedPod=pod"}

        api.tell("MODIFIED", put(api, "a", "2"))
        await machine.until("uid-a 2")
        api.tell("DELETED", api.drop("a"))
        await machine.until("uid-a gone")


async def test_a_list_wanted_anew_tells_all_there_is_and_what_went_away() -> None:
    async with following() as (api, runs, machine):
        put(api, "a", "1")
        put(api, "b", "1")
        runs.wanted.set()
        await machine.until("uid-a 1", "uid-b 1", "synced")
        await api.until(lambda: len(api.watches) == 1)

        api.drop("a")
        runs.wanted.set()

        await machine.until("uid-b 1", "uid-a gone", "synced")


async def test_a_watch_that_breaks_is_mended_without_another_synced() -> None:
    async with following() as (api, runs, machine):
        put(api, "a", "1")
        runs.wanted.set()
        await machine.until("uid-a 1", "synced")
        await api.until(lambda: len(api.watches) == 1)

        api.cut_watch()
        await api.until(lambda: len(api.watches) == 2)
        api.tell("MODIFIED", put(api, "a", "2"))

        await machine.until("uid-a 2")
