"""Turns the daemon's machine: hands in what is seen and has carried out what it says; decides nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVarTuple

from kruntimes_core.clock import Clock
from kruntimes_core.daemon.instructions import (
    Broken,
    Cancel,
    Clear,
    Collect,
    Fill,
    Follow,
    Forget,
    Handshake,
    Look,
    OfRun,
    Outcome,
    Refused,
    Resync,
    Start,
    Unwritten,
    Write,
)
from kruntimes_core.daemon.machine import Announcement, Daemon
from kruntimes_core.daemon.server import Code
from kruntimes_core.model.instant import Instant

log = logging.getLogger(__name__)

Given = TypeVarTuple("Given")
Carrier = Callable[[Any], Awaitable[Outcome]]

_BUG: Final = "a fault of this daemon, see its log: "
# What a fault in our own code amounts to: it may hit one odd Run, and must not end its neighbours.
FAULTS: Final[Mapping[type[OfRun], Callable[[str], Outcome]]] = {
    Fill: Broken,
    Clear: Broken,
    Write: Unwritten,
    **{call: lambda message: Refused(Code.INTERNAL, "", message) for call in (Start, Cancel, Forget, Look)},
    **{call: lambda message: Refused(Code.INTERNAL, "", message) for call in (Follow, Collect)},
}


class Member(Protocol):
    """Who carries out what concerns the member as a whole; none of this blocks."""

    def want_handshake(self) -> None:
        """Shake hands with the server anew."""

    def want_list(self) -> None:
        """List the member's Runs anew."""

    def announce(self, announcement: Announcement) -> None:
        """See to it that the lease says so."""


class Driver:
    """Owns the machine: all it is told and all it asks goes through here, on one thread."""

    def __init__(self, machine: Daemon, clock: Clock) -> None:
        self.machine = machine
        self.clock = clock
        self._news = asyncio.Event()
        self._news.set()
        self._turned = asyncio.Event()

    def tell(self, take: Callable[[*Given, Instant], None], *given: *Given) -> None:
        """Hand something in by one of the machine's methods."""
        take(*given, self.clock.now())
        self._news.set()

    async def wait_until_idle(self) -> None:
        """Return when the machine answers for no Run any more."""
        while self.machine.active:
            self._turned.clear()
            await self._turned.wait()

    async def run(self, member: Member, carriers: Mapping[type[OfRun], Carrier]) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for instruction in self.machine.decide(self.clock.now()):
                    match instruction:
                        case Handshake():
                            member.want_handshake()
                        case Resync():
                            member.want_list()
                        case _:
                            carrier = carriers[type(instruction)]
                            group.create_task(self._carry_out(instruction, carrier))
                member.announce(self.machine.announcement)
                self._turned.set()
                await self._wait()

    async def _wait(self) -> None:
        """Wait for news, or for the time at which the machine has work without any."""
        wake_at = self.machine.wake_at()
        loop = asyncio.get_running_loop()
        timer = None
        if wake_at is not None:
            timer = loop.call_later(max(wake_at - self.clock.now().monotonic, 0.0), self._news.set)
        try:
            await self._news.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _carry_out(self, instruction: OfRun, carrier: Carrier) -> None:
        try:
            outcome = await carrier(instruction)
        except Exception as error:
            log.exception("%s of Run %s", type(instruction).__name__, instruction.key)
            outcome = FAULTS[type(instruction)](f"{_BUG}{error!r}")
        self.tell(self.machine.done, instruction, outcome)
