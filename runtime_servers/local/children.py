"""The ends of this process's children, its own and those it inherited; starts none and kills none."""

import asyncio
import os
import signal
from collections.abc import Callable

Ended = Callable[[int], None]


class Children:
    """Reaps every child of the process. One per process: an end can be taken once only.

    As process 1 of a container, or as a subreaper, the server inherits what lost its parent; whoever is not
    expected here is reaped all the same, so that no zombie stays.
    """

    def __init__(self, stranger: Ended) -> None:
        self._expected: dict[int, Ended] = {}
        self._stranger = stranger
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def expect(self, pid: int, ended: Ended) -> None:
        """Call `ended` with the status of wait(2) when this child ends."""
        self._expected[pid] = ended

    def pids(self) -> frozenset[int]:
        """The children that are expected to end some day."""
        return frozenset(self._expected)

    def close(self) -> None:
        """Hear of no more ends."""
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._expected.pop(pid, self._stranger)(status)
