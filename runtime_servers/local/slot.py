"""The process of one slot: runs one Run after the other and ends each one's whole tree; knows no protocol.

It is small, single-threaded and made ahead of time, so that a fork of it is cheap and safe. The server holds
the other end of its socket; when that closes, the server is gone, and so is everything here.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from types import FrameType
from typing import Final

from runtime_servers.local import child, tree, workspace
from runtime_servers.local.directories import Directories
from runtime_servers.local.messages import (
    AT_FILES,
    AT_FORK,
    AT_SCRIPT,
    AT_WORKSPACE,
    KILL,
    REPORT_BYTES,
    RUN,
    STOP,
    Began,
    Ended,
    Failed,
    Gone,
    Ready,
    Report,
    decode_order,
    encode_report,
)

CONTROL: Final = 3
RECORD: Final = "pid"
# A walk of the tree is repeated when no end was heard of for so long; doubled while nothing helps.
_FIRST_PATIENCE_MS: Final = 20
_MOST_PATIENCE_MS: Final = 1000


class Orphaned(Exception):
    """The server is gone."""


class Slot:
    """One place for Runs, with a directory of its own."""

    def __init__(self, control: socket.socket, directories: Directories) -> None:
        self._control = control
        self._directories = directories
        # A handler that does nothing makes the kernel keep the zombie and write one byte into this pipe.
        self._ends, wakeup = os.pipe()
        os.set_blocking(self._ends, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(self._ends, select.POLLIN)
        self._poll.register(control, select.POLLIN)
        self._only_ends = select.poll()
        self._only_ends.register(self._ends, select.POLLIN)
        self._pid = 0
        self._code: int | None = None

    def serve(self) -> None:
        """Take Runs until the server is gone."""
        with contextlib.suppress(Orphaned):
            self._report(Ready())
            while True:
                kind, descriptors = self._receive()
                # A stop that crossed the end of its Run on the way means nothing any more.
                if kind == RUN:
                    self._run(descriptors)

    def close(self) -> None:
        """End what is left, and remove the directory if nothing in it resists."""
        self._end_tree()
        if not self._directories.clean():
            self._directories.remove(RECORD)

    # One Run

    def _run(self, descriptors: list[int]) -> None:
        self._pid, self._code = 0, None
        try:
            started = self._start(descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if isinstance(started, Began):
            self._report(started)
            by_itself = self._watch()
            end: Report = Ended(self._code or 0, by_itself, *self._directories.read_left())
        else:
            end = started
        self._directories.take_away()
        self._report(end)
        self._report(Gone(self._directories.clean()))

    def _start(self, descriptors: list[int]) -> Began | Failed:
        order = decode_order(workspace.read_all(descriptors[0]))
        at = AT_WORKSPACE
        directory = -1
        try:
            directory = self._directories.open(order.workspace)
            at = AT_FILES
            workspace.write_files(directory, order.files)
            script = next((path for path in order.scripts if workspace.is_file(directory, path)), "")
            if not script and not order.program:
                return Failed(AT_SCRIPT, 0, "", order.scripts[0])
            argv = (*order.shell, script, *order.args) if script else order.program
            at = AT_FORK
            given = tuple(descriptors[1:])
            start = child.Start(argv, dict(order.environment), order.limits, directory, given)
            self._pid = child.start(start)
        except child.NotStarted as failure:
            return Failed(failure.at, failure.errno, os.strerror(failure.errno), argv[0])
        except OSError as error:
            about = str(error.filename or order.workspace)
            return Failed(at, error.errno or 0, error.strerror or str(error), about)
        finally:
            if directory >= 0:
                os.close(directory)
        return Began(self._pid)

    def _watch(self) -> bool:
        """Return when nothing of the Run is left; True if the program ended before any stop reached it."""
        reached = False
        while True:
            empty = self._reap()
            # After a polite stop the children of a program that went first have the grace that is left.
            if empty or (self._code is not None and not reached):
                break
            if self._control.fileno() not in dict(self._poll.poll()):
                continue
            kind, _ = self._receive()
            self._reap()
            if kind == KILL:
                reached = reached or self._code is None
                break
            if kind == STOP and self._code is None:
                reached = self._pid in tree.stop(os.getpid()) or reached
        self._end_tree()
        return not reached

    def _end_tree(self) -> None:
        """Kill and reap until no descendant is left."""
        patience = _FIRST_PATIENCE_MS
        while not self._reap():
            tree.kill(os.getpid())
            heard = self._only_ends.poll(patience)
            while heard and not self._reap():
                heard = self._only_ends.poll(patience)
            patience = min(patience * 2, _MOST_PATIENCE_MS)

    def _reap(self) -> bool:
        """Take every end there is, also of orphans; True when no child is left."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._ends, 4096)) == 4096:
                pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._pid:
                self._code = os.waitstatus_to_exitcode(status)

    # The server

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 64, 5, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            data, descriptors = b"", []
        if not data:
            raise Orphaned
        return data, descriptors

    def _report(self, report: Report) -> None:
        data = encode_report(report)
        assert len(data) <= REPORT_BYTES
        try:
            self._control.send(data, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            raise Orphaned from None


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Be there, so that the signal is not thrown away."""


def _write_record(directory: str) -> None:
    """Say which process this is, for a server that finds it without having made it."""
    entry = tree.read(os.getpid())
    assert entry is not None
    with open(f"{directory}/{RECORD}", "x", encoding="ascii") as record:
        record.write(f"{os.getpid()} {entry.start}")


def main() -> None:
    """Be a slot: arguments are its directory and that of all workspaces; descriptor 3 leads to the server."""
    directory, workspaces = sys.argv[1:3]
    os.closerange(CONTROL + 1, 1 << 20)
    control = socket.socket(fileno=CONTROL)
    control.set_inheritable(False)
    # To hear of the server's death twice does no harm; to miss it would leave its Runs behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: control.shutdown(socket.SHUT_RDWR))
    child.die_with_parent(signal.SIGTERM)
    child.adopt_orphans()
    child.refuse_new_privileges()
    _write_record(directory)
    # What is here by now stays; a collection would only touch pages that forks share.
    gc.disable()
    gc.freeze()
    slot = Slot(control, Directories(directory, workspaces))
    try:
        slot.serve()
    finally:
        slot.close()
