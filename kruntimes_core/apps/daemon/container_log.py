"""Writes lines to this container's log, from a thread of its own; never waits long for one that is stuck."""

import asyncio
import logging
import os
import queue
import threading
from concurrent.futures import Future
from typing import Final

log = logging.getLogger(__name__)

# A log that takes nothing for so long is stuck.
PATIENCE: Final = 5.0


class LogStuck(Exception):
    """The log takes nothing at present; whether it has what was given last is open."""


class ContainerLog:
    """One descriptor. Whoever writes waits in line, so that every Run gets its turn."""

    def __init__(self, descriptor: int, patience: float = PATIENCE) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._turn = asyncio.Lock()
        self._waiting: queue.SimpleQueue[tuple[bytes, Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stuck: Future[None] | None = None

    async def write(self, lines: bytes) -> None:
        """Return once the log has taken the lines; LogStuck after a bound, and at once while it is known."""
        self._refuse_if_stuck()
        async with self._turn:
            self._refuse_if_stuck()
            written = self._hand_over(lines)
            try:
                async with asyncio.timeout(self._patience):
                    await asyncio.shield(asyncio.wrap_future(written))
            except TimeoutError:
                self._stuck = written
                log.warning("standard output takes nothing at present: output of Runs may be missing")
                raise LogStuck(f"standard output took nothing for {self._patience:g} s") from None
            except OSError as error:
                raise LogStuck(f"standard output cannot be written: {error}") from None

    def _refuse_if_stuck(self) -> None:
        if self._stuck is not None and not self._stuck.done():
            raise LogStuck("standard output takes nothing at present")
        self._stuck = None

    def _hand_over(self, lines: bytes) -> Future[None]:
        if self._thread is None:
            # Not a pool's thread, which the interpreter would wait for at its end.
            self._thread = threading.Thread(target=self._serve, name="container-log", daemon=True)
            self._thread.start()
            # What a process before this one wrote last may lack its end.
            lines = b"\n" + lines
        written: Future[None] = Future()
        self._waiting.put((lines, written))
        return written

    def _serve(self) -> None:
        while True:
            lines, written = self._waiting.get()
            try:
                _write_all(self._descriptor, lines)
            except OSError as error:
                written.set_exception(error)
            else:
                written.set_result(None)


def _write_all(descriptor: int, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[os.write(descriptor, left) :]
