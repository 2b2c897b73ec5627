"""One Run from order to end: a slot, its streams, its stops, how it ended; decides nothing about a spec."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from kruntimes.server import End, StartedRun

from runtime_servers.local.ends import LOST, Judge, Said, conclude, explain, no_slot
from runtime_servers.local.messages import Began, Ended, Failed, Order, Report, encode_order
from runtime_servers.local.slot_line import SlotLine
from runtime_servers.local.slots import NoSlot, Slots
from runtime_servers.local.streams import Streams

log = logging.getLogger(__name__)

# From the order to user code, and from the hard stop to an empty tree: a slot that takes longer is frozen
# or broken, and is replaced.
PATIENCE_SECONDS: Final = 10.0
# No language's note needs more; what a program writes beyond it is not read.
NOTE_BYTES: Final = 256 * 1024


class Plan(NamedTuple):
    """What a language wants of a Run: its order for a slot, a note of its program, its view of a failure."""

    order: Callable[[str], Order]
    noted: bool
    judge: Judge


class LocalRun:
    """A kruntimes.server.Execution in one slot."""

    def __init__(self, run: StartedRun, plan: Plan, slots: Slots) -> None:
        self._run = run
        self._plan = plan
        self._slots = slots
        self._slot: SlotLine | None = None
        self._stopped = self._killed = False
        self._failed: Failed | None = None
        self._ended: Ended | None = None
        self._lost = False
        self._note = -1
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._patience: asyncio.TimerHandle | None = None

    # What the kit asks for

    def stop(self) -> None:
        """The polite stop."""
        self._stopped = True
        if self._slot is not None:
            self._slot.stop()

    def kill(self) -> None:
        """The hard stop."""
        self._stopped = True
        if self._slot is None:
            return
        self._slot.kill()
        if not self._killed:
            self._killed = True
            self._wait_for(self._slot)

    async def wait(self) -> End:
        """The end, when nothing is left and all output is written."""
        try:
            slot = await self._slots.take()
        except NoSlot as error:
            return no_slot(str(error))
        if self._stopped:  # before anything began; the cause of the stop says the rest
            self._slots.give_back(slot)
            return End()
        try:
            streams = Streams(self._run)
        except OSError as error:
            self._slots.give_back(slot)
            return no_slot(f"its output cannot be caught: {error.strerror}")
        try:
            self._hand_over(slot, streams)
            await self._over
            streams.drain()
            return self._end(streams.err.tail)
        finally:
            streams.close()
            self._calm()
            if self._note >= 0:
                os.close(self._note)

    # What the slot reports

    def reported(self, report: Report) -> None:
        """The slot said something."""
        if isinstance(report, Began):
            if not self._killed:
                self._calm()
            self._run.running()
        elif isinstance(report, Failed):
            self._failed = report
            self._finish()
        elif isinstance(report, Ended):
            self._ended = report
            self._finish()

    def lost(self) -> None:
        """The slot ended with the Run in it."""
        self._lost = True
        self._finish()

    # Steps

    def _hand_over(self, slot: SlotLine, streams: Streams) -> None:
        if self._plan.noted:
            self._note = _memory("note", b"")
        note = (self._note,) if self._plan.noted else ()
        order = _memory("order", encode_order(self._plan.order(slot.directory)))
        try:
            stdin = self._stdin()
            try:
                slot.start(self, (order, stdin, streams.out.write_end, streams.err.write_end, *note))
            finally:
                os.close(stdin)
        finally:
            os.close(order)
        self._slot = slot
        streams.follow()
        self._wait_for(slot)

    def _stdin(self) -> int:
        """Standard input in a file of memory: whole at once, closed after it, and nobody has to write."""
        if not self._run.spec.stdin:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return _memory("stdin", self._run.spec.stdin)

    def _end(self, stderr: bytes) -> End:
        if self._lost:
            return LOST
        if self._failed is not None:
            return explain(self._failed)
        assert self._ended is not None
        # Nobody who could write it is left.
        note = os.pread(self._note, NOTE_BYTES, 0) if self._plan.noted else b""
        return conclude(self._ended, Said(stderr, note), self._plan.judge)

    def _finish(self) -> None:
        self._calm()
        self._slot = None
        if not self._over.done():
            self._over.set_result(None)

    def _wait_for(self, slot: SlotLine) -> None:
        self._calm()
        self._patience = self._loop.call_later(PATIENCE_SECONDS, self._give_up, slot)

    def _give_up(self, slot: SlotLine) -> None:
        log.error("slot process %d does not answer; it is replaced", slot.pid)
        slot.give_up()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _memory(name: str, data: bytes) -> int:
    """A file without a place, holding `data`, at its beginning."""
    descriptor = os.memfd_create(f"kruntimes-{name}", os.MFD_CLOEXEC)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
