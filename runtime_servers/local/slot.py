"""The process of one slot: runs one Run after the other and ends each one's whole tree; knows no protocol.

It is small, single-threaded and made ahead of time, so that a fork of it is cheap and safe. The server holds
the other end of its socket; when that closes, the server is gone, and so is everything here.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from types import FrameType
from typing import Final

from runtime_servers.local import child, tree, workspace
from runtime_servers.local.messages import (
    AT_FILES,
    AT_FORK,
    AT_SCRIPT,
    AT_WORKSPACE,
    KILL,
    OUTPUTS_NO_FILE,
    REPORT_BYTES,
    RUN,
    STOP,
    Began,
    Ended,
    Failed,
    Gone,
    Order,
    Ready,
    Report,
    decode_order,
    encode_report,
)

CONTROL: Final = 3
RECORD: Final = "pid"
WORKSPACE_RECORD: Final = "workspace"
# What a Run may write in the slot's directory; beside it lies what it may not.
RUN_DIRECTORY: Final = "run"
REMOVED: Final = "removed"
TEMPORARY: Final = f"{RUN_DIRECTORY}/tmp"
OUTPUTS: Final = f"{RUN_DIRECTORY}/outputs"
PRIVATE: Final = f"{RUN_DIRECTORY}/workspace"

# A walk of the tree is repeated when no end was heard of for so long; doubled while nothing helps.
_FIRST_PATIENCE_MS: Final = 20
_MOST_PATIENCE_MS: Final = 1000


class Orphaned(Exception):
    """The server is gone."""


class Slot:
    """One place for Runs, with a directory of its own."""

    def __init__(self, control: socket.socket, directory: str, workspaces: str) -> None:
        self._control = control
        self._directory = directory
        self._top = os.open(directory, workspace.DIRECTORY)
        self._workspaces = os.open(workspaces, workspace.DIRECTORY) if workspaces else -1
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
        if not self._clean():
            os.unlink(RECORD, dir_fd=self._top)
            os.rmdir(self._directory)

    # One Run

    def _run(self, descriptors: list[int]) -> None:
        self._pid, self._code = 0, None
        try:
            started = self._start(descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if started:
            by_itself = self._watch()
            outputs, data = self._outputs()
            self._report(Ended(self._code or 0, by_itself, outputs, data))
        self._report(Gone(self._clean()))

    def _start(self, descriptors: list[int]) -> bool:
        order = decode_order(_read_all(descriptors[0]))
        at = AT_WORKSPACE
        directory = -1
        try:
            directory = self._open(order)
            at = AT_FILES
            workspace.write_files(directory, order.files)
            script = next((path for path in order.scripts if workspace.is_file(directory, path)), "")
            if not script and not order.program:
                self._report(Failed(AT_SCRIPT, 0, "", order.scripts[0]))
                return False
            argv = (*order.shell, script, *order.args) if script else order.program
            streams = (descriptors[1], descriptors[2], descriptors[3])
            at = AT_FORK
            start = child.Start(argv, dict(order.environment), order.limits, directory, streams)
            self._pid = child.start(start)
        except child.NotStarted as failure:
            self._report(Failed(failure.at, failure.errno, os.strerror(failure.errno), argv[0]))
            return False
        except OSError as error:
            about = str(error.filename or order.workspace)
            self._report(Failed(at, error.errno or 0, error.strerror or str(error), about))
            return False
        finally:
            if directory >= 0:
                os.close(directory)
        self._report(Began(self._pid))
        return True

    def _open(self, order: Order) -> int:
        """Make what a Run finds, and open its workspace."""
        os.mkdir(RUN_DIRECTORY, 0o700, dir_fd=self._top)
        os.mkdir(TEMPORARY, 0o700, dir_fd=self._top)
        os.close(os.open(OUTPUTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._top))
        if not order.workspace:
            os.mkdir(PRIVATE, 0o700, dir_fd=self._top)
            return workspace.open_below(self._top, PRIVATE)
        # Whoever comes after a slot and a server that were both killed reads here what is to be removed.
        os.symlink(order.workspace, WORKSPACE_RECORD, dir_fd=self._top)
        return workspace.open_below(self._workspaces, order.workspace)

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

    def _outputs(self) -> tuple[str, bytes]:
        directory, _, name = OUTPUTS.rpartition("/")
        try:
            parent = workspace.open_below(self._top, directory)
        except OSError:
            return OUTPUTS_NO_FILE, b""
        try:
            return workspace.read_outputs(parent, name)
        finally:
            os.close(parent)

    def _clean(self) -> str:
        """Remove what was the Run's; a sentence about what could not be removed."""
        try:
            clean(self._top, self._workspaces)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""

    # The server

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 64, 4, socket.MSG_CMSG_CLOEXEC)
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


def clean(slot: int, workspaces: int) -> None:
    """Remove what the last Run left in the slot's directory, and its workspace. Raises OSError."""
    try:
        path = os.readlink(WORKSPACE_RECORD, dir_fd=slot)
    except FileNotFoundError:
        path = ""
    if path:
        _take_workspace(slot, workspaces, path)
        workspace.remove(slot, REMOVED)
        os.unlink(WORKSPACE_RECORD, dir_fd=slot)
    workspace.remove(slot, RUN_DIRECTORY)


def _take_workspace(slot: int, workspaces: int, path: str) -> None:
    """Move a workspace into the slot's directory, where nobody else counts on it."""
    directory, _, name = path.rpartition("/")
    with contextlib.suppress(FileNotFoundError):
        parent = workspace.open_below(workspaces, directory)
        try:
            os.rename(name, REMOVED, src_dir_fd=parent, dst_dir_fd=slot)
        finally:
            os.close(parent)


def _read_all(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


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
    slot = Slot(control, directory, workspaces)
    try:
        slot.serve()
    finally:
        slot.close()
