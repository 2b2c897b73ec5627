"""The slots of a server: made ahead of time, lent to Runs, replaced when lost; looks into no Run."""

import asyncio
import logging
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from runtime_servers.local.children import Children
from runtime_servers.local.clearing import end_strays, sweep_directory
from runtime_servers.local.messages import Ended, Failed, Gone, Ready, Report
from runtime_servers.local.slot import CONTROL
from runtime_servers.local.slot_line import SlotLine

log = logging.getLogger(__name__)

# So many wait for a Run beside those that have one, as far as there may be that many.
AHEAD: Final = 4
TAKE_SECONDS: Final = 10.0
# A Run that waits for so long while slots only clean gets one more.
RELIEF_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 3.0
_BACKOFF_SECONDS: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
_SOURCES: Final = str(Path(__file__).resolve().parents[2])
_PROGRAM: Final = (
    f"import sys; sys.path.append({_SOURCES!r}); from runtime_servers.local.slot import main; main()"
)


class NoSlot(Exception):
    """No slot could be had in time."""


class Slots:
    """At most `most` slots with Runs, each with a directory below `state`; on a running event loop."""

    def __init__(self, state: str, workspaces: str, most: int, children: Children) -> None:
        self._state = state
        self._workspaces = workspaces
        self._most = most
        self._children = children
        self._loop = asyncio.get_running_loop()
        self._all: dict[int, SlotLine] = {}
        self._free: deque[SlotLine] = deque()
        self._waiting: deque[asyncio.Future[SlotLine]] = deque()
        self._made = 0
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None
        self._losses: set[asyncio.Task[None]] = set()
        self._closing = False
        self._news = asyncio.Event()

    def grow(self) -> None:
        """Make what is missing ahead of time."""
        busy = sum(slot.busy for slot in self._all.values())
        self._fill(min(self._most, busy + max(AHEAD, len(self._waiting))))

    async def take(self) -> SlotLine:
        """A slot for one Run; it is free again by itself. Raises NoSlot when none can be had."""
        if self._free:
            return self._free.popleft()
        turn: asyncio.Future[SlotLine] = self._loop.create_future()
        self._waiting.append(turn)
        self.grow()
        relief = self._loop.call_later(RELIEF_SECONDS, self._relieve)
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                return await turn
        except BaseException as error:
            with suppress(ValueError):
                self._waiting.remove(turn)
            if turn.done() and not turn.cancelled():  # it came together with the end of the waiting
                self.give_back(turn.result())
            if isinstance(error, TimeoutError):
                raise NoSlot(f"no slot was free or could be made within {TAKE_SECONDS:.0f} s") from None
            raise
        finally:
            relief.cancel()

    def give_back(self, slot: SlotLine) -> None:
        """A slot that was taken and not used, or that is free again."""
        slot.occupant = None
        slot.cleaning = False
        if slot.ended:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(slot)
                return
        if len(self._all) > self._most:  # one more was made while this one cleaned
            slot.give_up()
        else:
            self._free.append(slot)

    async def close(self) -> None:
        """End every slot with all that runs in it."""
        self._closing = True
        if self._retry is not None:
            self._retry.cancel()
        for slot in self._all.values():
            self._loop.remove_reader(slot.control)
            slot.control.close()
        for give_up in (False, True):
            for slot in self._all.values() if give_up else ():
                log.error("slot process %d does not end; it is killed", slot.pid)
                slot.give_up()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._all_ended()
        await asyncio.to_thread(end_strays, self._children.pids)

    async def _all_ended(self) -> None:
        while self._all or self._losses:
            self._news.clear()
            await self._news.wait()

    # Making

    def _fill(self, wanted: int) -> None:
        # Not while strays are looked for: a slot just made would be taken for one.
        if self._closing or self._losses or self._retry is not None:
            return
        while len(self._all) < wanted:
            self._make()

    def _relieve(self) -> None:
        """Removing what a Run left can take long; its place is free all the same."""
        cleaning = sum(slot.cleaning for slot in self._all.values())
        self._fill(min(len(self._all) + len(self._waiting), self._most + cleaning))

    def _make(self) -> None:
        directory = self._make_directory()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            pid = self._spawn(directory, there.fileno())
        here.setblocking(False)
        slot = SlotLine(directory, here, pid)
        self._all[pid] = slot
        self._children.expect(pid, lambda status: self._ended(slot, status))
        self._loop.add_reader(here, self._hear, slot)

    def _make_directory(self) -> str:
        while True:
            self._made += 1
            directory = f"{self._state}/slot-{self._made}"
            # One that an earlier server left, and that could not be removed, stays alone.
            with suppress(FileExistsError):
                os.mkdir(directory, 0o700)
                return directory

    def _spawn(self, directory: str, control: int) -> int:
        # No environment: what the server was given must not be found in its slots either.
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", _PROGRAM, directory, self._workspaces],
            {},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, control, CONTROL),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=range(1, 32),
        )

    # Hearing

    def _hear(self, slot: SlotLine) -> None:
        try:
            while (report := slot.hear()) is not None:
                self._reported(slot, report)
        except EOFError:  # the process is ending; its end is what counts
            self._loop.remove_reader(slot.control)

    def _reported(self, slot: SlotLine, report: Report) -> None:
        if isinstance(report, Ready):
            slot.ready = True
            self._failures = 0
            self.give_back(slot)
        elif isinstance(report, Gone):
            if report.problem:
                log.error("slot %s is given up, it cannot be cleaned: %s", slot.directory, report.problem)
                slot.give_up()
            else:
                self.give_back(slot)
        elif slot.occupant is not None:
            occupant = slot.occupant
            if isinstance(report, Ended | Failed):
                slot.occupant = None
                slot.cleaning = True
            occupant.reported(report)
            self.grow()

    # Losing

    def _ended(self, slot: SlotLine, status: int) -> None:
        slot.ended = True
        del self._all[slot.pid]
        self._news.set()
        if self._closing and status == 0:  # it has cleared up behind itself
            return
        self._loop.remove_reader(slot.control)
        slot.control.close()
        log.error("slot process %d ended (%s)", slot.pid, describe_status(status))
        with suppress(ValueError):
            self._free.remove(slot)
        self._failures = 0 if slot.ready else self._failures + 1
        loss = self._loop.create_task(self._clear(slot))
        self._losses.add(loss)
        loss.add_done_callback(self._cleared)

    async def _clear(self, slot: SlotLine) -> None:
        """End what the slot left running, remove what it left lying, then tell."""
        try:
            await asyncio.to_thread(end_strays, self._children.pids)
            await asyncio.to_thread(sweep_directory, slot.directory, self._workspaces)
        finally:
            if slot.occupant is not None:
                slot.occupant.lost()

    def _cleared(self, loss: asyncio.Task[None]) -> None:
        self._losses.discard(loss)
        self._news.set()
        if not loss.cancelled() and (error := loss.exception()) is not None:
            log.error("what a slot left could not be cleared away", exc_info=error)
        delay = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
        if delay and self._retry is None and not self._closing:
            self._retry = self._loop.call_later(delay, self._try_again)
        self.grow()

    def _try_again(self) -> None:
        self._retry = None
        self.grow()


def describe_status(status: int) -> str:
    """How a process ended, for people."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
