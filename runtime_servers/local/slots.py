"""The slots of a server: made ahead of time, lent to Runs, replaced when lost; looks into no Run."""

import asyncio
import logging
import os
import shutil
import socket
import sys
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from runtime_servers.local import tree
from runtime_servers.local.children import Children
from runtime_servers.local.messages import (
    KILL,
    REPORT_BYTES,
    RUN,
    STOP,
    Gone,
    Ready,
    Report,
    decode_report,
)
from runtime_servers.local.slot import CONTROL, clean
from runtime_servers.local.workspace import DIRECTORY

log = logging.getLogger(__name__)

# So many wait for a Run beside those that have one, as far as there may be that many.
AHEAD: Final = 4
TAKE_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 3.0
STRAYS_SECONDS: Final = 30.0
_STRAYS_PAUSE_SECONDS: Final = 0.005
_BACKOFF_SECONDS: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
_SOURCES: Final = str(Path(__file__).resolve().parents[2])
_PROGRAM: Final = (
    f"import sys; sys.path.append({_SOURCES!r}); from runtime_servers.local.slot import main; main()"
)


class NoSlot(Exception):
    """No slot could be had in time."""


class Occupant(Protocol):
    """The Run in a slot."""

    def reported(self, report: Report) -> None:
        """The slot said something; after Gone it says nothing more."""

    def lost(self) -> None:
        """The slot ended with the Run in it; nothing of the Run is left."""


class Slot:
    """The server's end of one slot."""

    def __init__(self, directory: str, control: socket.socket, pid: int) -> None:
        self.directory = directory
        self.control = control
        self.pid = pid
        self.occupant: Occupant | None = None
        self.ready = False
        self.ended = False

    def start(self, occupant: Occupant, descriptors: Collection[int]) -> None:
        """Hand over an order and its streams; what becomes of it is told to the occupant."""
        self.occupant = occupant
        if self.ended:
            asyncio.get_running_loop().call_soon(occupant.lost)
            return
        # If it is about to end, the occupant hears of that in time.
        with suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self.control, [RUN], list(descriptors))

    def stop(self) -> None:
        """The polite stop of the whole tree."""
        self._say(STOP)

    def kill(self) -> None:
        """The hard stop of the whole tree."""
        self._say(KILL)

    def give_up(self) -> None:
        """The slot does not answer: end its process, and all the rest follows from that."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def _say(self, word: bytes) -> None:
        # Full means that it has been told often enough.
        with suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
            self.control.send(word, socket.MSG_NOSIGNAL)


class Slots:
    """At most `most` slots, each with a directory below `state`. Call it on a running event loop."""

    def __init__(self, state: str, workspaces: str, most: int, children: Children) -> None:
        self._state = state
        self._workspaces = workspaces
        self._most = most
        self._children = children
        self._loop = asyncio.get_running_loop()
        self._all: dict[int, Slot] = {}
        self._free: deque[Slot] = deque()
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._made = 0
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None
        self._losses: set[asyncio.Task[None]] = set()
        self._closing = False
        self._news = asyncio.Event()

    def grow(self) -> None:
        """Make what is missing ahead of time."""
        if self._closing or self._losses or self._retry is not None:
            return
        busy = sum(slot.occupant is not None for slot in self._all.values())
        wanted = min(self._most, busy + max(AHEAD, len(self._waiting)))
        while len(self._all) < wanted:
            self._make()

    async def take(self) -> Slot:
        """A slot for one Run; it is free again by itself. Raises NoSlot when none can be had."""
        if self._free:
            return self._free.popleft()
        turn: asyncio.Future[Slot] = self._loop.create_future()
        self._waiting.append(turn)
        self.grow()
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

    def give_back(self, slot: Slot) -> None:
        """A slot that was taken and not used, or that is free again."""
        slot.occupant = None
        if slot.ended:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(slot)
                return
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
        await asyncio.to_thread(end_strays, self._children)

    async def _all_ended(self) -> None:
        while self._all or self._losses:
            self._news.clear()
            await self._news.wait()

    # Making

    def _make(self) -> None:
        self._made += 1
        directory = f"{self._state}/slot-{self._made}"
        os.mkdir(directory, 0o700)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            pid = self._spawn(directory, there.fileno())
        here.setblocking(False)
        slot = Slot(directory, here, pid)
        self._all[pid] = slot
        self._children.expect(pid, lambda status: self._ended(slot, status))
        self._loop.add_reader(here, self._hear, slot)

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

    def _hear(self, slot: Slot) -> None:
        while True:
            try:
                data = slot.control.recv(REPORT_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:  # the process is ending; its end is what counts
                self._loop.remove_reader(slot.control)
                return
            self._reported(slot, decode_report(data))

    def _reported(self, slot: Slot, report: Report) -> None:
        if isinstance(report, Ready):
            slot.ready = True
            self._failures = 0
            self.give_back(slot)
            return
        occupant = slot.occupant
        if occupant is None:
            raise ValueError(f"slot {slot.directory} reported {report} without a Run")
        if isinstance(report, Gone):
            if report.problem:
                log.error("slot %s is given up, it cannot be cleaned: %s", slot.directory, report.problem)
                slot.occupant = None
                slot.give_up()
            else:
                self.give_back(slot)
        occupant.reported(report)
        self.grow()

    # Losing

    def _ended(self, slot: Slot, status: int) -> None:
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

    async def _clear(self, slot: Slot) -> None:
        """End what the slot left running, remove what it left lying, then tell."""
        try:
            await asyncio.to_thread(end_strays, self._children)
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


def end_strays(children: Children) -> None:
    """Kill every descendant of this process that no slot answers for; no slot may be made meanwhile.

    It blocks. Raises OSError when something is left that cannot be killed.
    """
    deadline = time.monotonic() + STRAYS_SECONDS
    while left := tree.kill(os.getpid(), keep=children.pids()):
        if time.monotonic() > deadline:
            raise OSError(f"{left} processes of lost Runs cannot be killed")
        time.sleep(_STRAYS_PAUSE_SECONDS)


def sweep_directory(directory: str, workspaces: str) -> None:
    """Remove a slot's directory and the workspace it had; nothing of it may run any more."""
    with suppress(FileNotFoundError):
        top = os.open(directory, DIRECTORY)
        try:
            root = os.open(workspaces, DIRECTORY) if workspaces else -1
            try:
                clean(top, root)
            finally:
                if root >= 0:
                    os.close(root)
        finally:
            os.close(top)
        shutil.rmtree(directory)


def describe_status(status: int) -> str:
    """How a process ended, for people."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
