"""The server's line to one slot: hands over orders, streams and stops, and hears reports; makes no slot."""

import asyncio
import os
import signal
import socket
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from runtime_servers.local.messages import KILL, REPORT_BYTES, RUN, STOP, Report, decode_report


class Occupant(Protocol):
    """The Run in a slot."""

    def reported(self, report: Report) -> None:
        """The slot said something; after Ended or Failed it says nothing more to this Run."""

    def lost(self) -> None:
        """The slot ended with the Run in it; nothing of the Run is left."""


class SlotLine:
    """One slot as its server sees it."""

    def __init__(self, directory: str, control: socket.socket, pid: int) -> None:
        self.directory = directory
        self.control = control
        self.pid = pid
        self.occupant: Occupant | None = None
        # From the end of a Run until the slot has removed what it left.
        self.cleaning = False
        self.ready = False
        self.ended = False

    @property
    def busy(self) -> bool:
        """True while it has a Run or what a Run left."""
        return self.occupant is not None or self.cleaning

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
        """The slot is of no use any more: end its process, and all the rest follows from that."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)

    def hear(self) -> Report | None:
        """The next report; None when there is none now. Raises EOFError when there will be none."""
        try:
            data = self.control.recv(REPORT_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        return decode_report(data)

    def _say(self, word: bytes) -> None:
        # Full means that it has been told often enough.
        with suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
            self.control.send(word, socket.MSG_NOSIGNAL)
