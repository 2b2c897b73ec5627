"""The driver carries out what the machine says, side by side, and hands back what came of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from kruntimes_core.apps.daemon.driver import Carrier, Driver
from kruntimes_core.apps.daemon.wishes import serve_wishes
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.instructions import (
    Broken,
    Clear,
    Done,
    Fill,
    Forget,
    Handshake,
    Instruction,
    OfRun,
    Outcome,
    Refused,
    Resync,
    Unwritten,
    Write,
)
from kruntimes_core.daemon.machine import Announcement, Daemon
from kruntimes_core.daemon.server import Code
from kruntimes_core.model.events import Delivered
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Run

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
KEY = RunKey("u", 1)


def make_run() -> Run:
    return Run("default", "r", "u", "1", "fake", WHEN, attempt=1)


class Scripted(Daemon):
    """Says what the test wants said, and keeps what it is told."""

    def __init__(self, *instructions: Instruction) -> None:
        self.instructions = list(instructions)
        self.outcomes: list[tuple[OfRun, Outcome]] = []
        self.gone: list[str] = []
        self.wake: float | None = None
        self.left = 0
        self.told = asyncio.Event()

    def decide(self, now: Instant) -> list[Instruction]:
        if self.wake is not None and now.monotonic >= self.wake:
            self.wake = None
            self.instructions.append(Resync())
        said, self.instructions = self.instructions, []
        return said

    def done(self, instruction: OfRun, outcome: Outcome, now: Instant) -> None:
        self.outcomes.append((instruction, outcome))
        self.told.set()

    def run_gone(self, uid: str, now: Instant) -> None:
        self.gone.append(uid)

    def wake_at(self) -> float | None:
        return self.wake

    @property
    def announcement(self) -> Announcement:
        return Announcement(instance="i")

    @property
    def active(self) -> int:
        return self.left


class Listener:
    """A member that notes what is wanted of it."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.event = asyncio.Event()

    def want_handshake(self) -> None:
        self.note("handshake")

    def want_list(self) -> None:
        self.note("list")

    def announce(self, announcement: Announcement) -> None:
        self.note(announcement)

    def note(self, what: object) -> None:
        self.heard.append(what)
        self.event.set()

    async def until(self, what: object) -> None:
        async with asyncio.timeout(5):
            while what not in self.heard:
                self.event.clear()
                await self.event.wait()


@asynccontextmanager
async def running(machine: Scripted, **carriers: Carrier) -> AsyncIterator[tuple[Driver, Listener]]:
    kinds = {kind.__name__: kind for kind in (Fill, Clear, Forget, Write)}
    driver, listener = Driver(machine, SystemClock()), Listener()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(listener, {kinds[name]: act for name, act in carriers.items()}))
        yield driver, listener
        task.cancel()


async def outcomes(machine: Scripted, count: int) -> list[Outcome]:
    async with asyncio.timeout(5):
        while len(machine.outcomes) < count:
            machine.told.clear()
            await machine.told.wait()
    return [outcome for _, outcome in machine.outcomes]


async def test_what_concerns_the_member_goes_to_the_member() -> None:
    async with running(Scripted(Handshake(), Resync())) as (_, listener):
        await listener.until(Announcement(instance="i"))

    assert listener.heard[:3] == ["handshake", "list", Announcement(instance="i")]


async def test_a_slow_run_holds_up_no_other() -> None:
    never = asyncio.Event()

    async def fill(order: Fill) -> Outcome:
        await never.wait()
        return Done()

    async def forget(order: Forget) -> Outcome:
        return Done()

    machine = Scripted(Fill(1, KEY, make_run()), Forget(2, KEY, stop=False))
    async with running(machine, Fill=fill, Forget=forget):
        await outcomes(machine, 1)

    assert machine.outcomes == [(Forget(2, KEY, stop=False), Done())]


async def test_a_fault_of_ours_is_an_outcome_and_not_the_end() -> None:
    async def broken(order: OfRun) -> Outcome:
        raise RuntimeError("a bug")

    orders = (Fill(1, KEY, make_run()), Forget(2, KEY, stop=True), Write(3, KEY, make_run(), Delivered(WHEN)))
    machine = Scripted(*orders)
    async with running(machine, Fill=broken, Forget=broken, Write=broken):
        found = await outcomes(machine, 3)

    kinds = {type(outcome) for outcome in found}
    assert kinds == {Broken, Refused, Unwritten}
    assert all("RuntimeError('a bug')" in str(outcome) for outcome in found)
    assert [outcome.code for outcome in found if isinstance(outcome, Refused)] == [Code.INTERNAL]


async def test_the_machine_is_woken_when_it_asked_to_be() -> None:
    machine = Scripted()
    machine.wake = SystemClock().now().monotonic + 0.01
    async with running(machine) as (_, listener):
        await listener.until("list")


async def test_what_is_told_reaches_the_machine_and_turns_it() -> None:
    machine = Scripted()
    async with running(machine) as (driver, listener):
        await listener.until(Announcement(instance="i"))
        machine.instructions.append(Resync())
        driver.tell(machine.run_gone, "u")
        await listener.until("list")

    assert machine.gone == ["u"]


async def test_idle_is_when_the_machine_answers_for_no_run() -> None:
    machine = Scripted()
    machine.left = 1
    async with running(machine) as (driver, _), asyncio.timeout(5):
        waiting = asyncio.ensure_future(driver.wait_until_idle())
        driver.tell(machine.run_gone, "a")
        await asyncio.sleep(0)
        assert not waiting.done()
        machine.left = 0
        driver.tell(machine.run_gone, "b")
        await waiting


async def test_a_wish_made_again_gives_up_what_is_under_way() -> None:
    wish, begun = asyncio.Event(), asyncio.Queue[int]()
    count = 0

    async def act() -> None:
        nonlocal count
        count += 1
        begun.put_nowait(count)
        if count < 3:
            await asyncio.Event().wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        serving = group.create_task(serve_wishes(wish, act))
        for want in (1, 2, 3, 4):
            wish.set()
            assert await begun.get() == want
        serving.cancel()
