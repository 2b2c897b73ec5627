"""The output of one program, from its pipes to the kit, a bounded piece at a time; never looks at a byte."""

import asyncio
import os
from typing import Final

from kruntimes.server import STDERR, STDOUT, StartedRun

# One piece per turn of the event loop: a Run that floods waits for its neighbours as they wait for it.
PIECE_BYTES: Final = 65536
# A program may have enlarged its pipe; more than that was written by somebody who should be gone.
_REST_BYTES: Final = 1 << 20
TAIL_BYTES: Final = 2048


class Stream:
    """One pipe, read when there is something in it."""

    def __init__(self, run: StartedRun, channel: str) -> None:
        self._run = run
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._open = True
        self.tail = b""

    def follow(self) -> None:
        """The program has the other end now: begin to read."""
        self.let_go()
        self._loop.add_reader(self._read_end, self._read)

    def let_go(self) -> None:
        """Close our copy of the program's end, once."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def drain(self) -> None:
        """Read what is left in the pipe when nobody writes any more; never waits for a writer."""
        left = _REST_BYTES
        while self._open and left > 0:
            size = self._read()
            if size <= 0:
                return
            left -= size

    def close(self) -> None:
        """Read no more."""
        self.let_go()
        if self._open:
            self._open = False
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)

    def _read(self) -> int:
        """Pass one piece on; its size, zero at the end, less when there is nothing now."""
        try:
            data = os.read(self._read_end, PIECE_BYTES)
        except BlockingIOError:
            return -1
        if not data:
            self.close()
            return 0
        self.tail = (self.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._run.write(self._channel, data)
        return len(data)


class Streams:
    """Standard output and standard error of one program."""

    def __init__(self, run: StartedRun) -> None:
        self.out = Stream(run, STDOUT)
        try:
            self.err = Stream(run, STDERR)
        except OSError:
            self.out.close()
            raise

    def follow(self) -> None:
        """The program has the other ends now: begin to read."""
        self.out.follow()
        self.err.follow()

    def drain(self) -> None:
        """Read what is left when nobody writes any more."""
        self.out.drain()
        self.err.drain()

    def close(self) -> None:
        """Read no more."""
        self.out.close()
        self.err.close()
