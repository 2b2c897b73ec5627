"""The directories one slot gives to its Runs: made ahead, looked at, taken away; starts no program."""

import contextlib
import os
from typing import Final

from runtime_servers.local import workspace
from runtime_servers.local.messages import (
    FILE_NOT_PLAIN,
    OUTPUTS_BYTES,
    RESULT_BYTES,
    Left,
    pack,
    unpack_first,
)

# Its first field is the workspace of the Run under way, empty when there is none.
WORKSPACE_RECORD: Final = "workspace"
# What a Run may write in the slot's directory; beside it lies what it may not.
RUN_DIRECTORY: Final = "run"
REMOVED: Final = "removed"
TEMPORARY: Final = f"{RUN_DIRECTORY}/tmp"
OUTPUTS: Final = f"{RUN_DIRECTORY}/outputs"
RESULT: Final = f"{RUN_DIRECTORY}/result"
PRIVATE: Final = f"{RUN_DIRECTORY}/workspace"

# Identities, names and times of change.
Look = tuple[object, ...]


class Directories:
    """The slot's own directory, `top`, and the workspaces; `workspaces` is empty where none are shared."""

    def __init__(self, top: str, workspaces: str) -> None:
        self._path = top
        self._top = os.open(top, workspace.DIRECTORY)
        self._workspaces = os.open(workspaces, workspace.DIRECTORY) if workspaces else -1
        self._record = os.open(
            WORKSPACE_RECORD, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._top
        )
        self._made = _make(self._top)
        self._workspace = ""

    def open(self, path: str) -> int:
        """Open the workspace of a Run, or make a private one for an empty path. Raises OSError."""
        if not path:
            os.mkdir(PRIVATE, 0o700, dir_fd=self._top)
            return workspace.open_below(self._top, PRIVATE)
        self._workspace = path
        # Whoever comes after a slot and a server that were both killed reads here what is to be removed.
        os.pwrite(self._record, pack((path.encode(),)), 0)
        return workspace.open_below(self._workspaces, path)

    def read_left(self) -> tuple[Left, Left]:
        """What is in the file for outputs and in the one for the result."""
        return self._read(OUTPUTS, OUTPUTS_BYTES), self._read(RESULT, RESULT_BYTES)

    def _read(self, path: str, most: int) -> Left:
        directory, _, name = path.rpartition("/")
        try:
            parent = workspace.open_below(self._top, directory)
        except OSError:
            return Left(FILE_NOT_PLAIN)
        try:
            return workspace.read_left(parent, name, most)
        finally:
            os.close(parent)

    def take_away(self) -> None:
        """The workspace is gone for everybody else, at once, however long its removal takes."""
        # What fails here fails again in `clean`, which tells.
        with contextlib.suppress(OSError):
            self._take_away()

    def clean(self) -> str:
        """Remove what was the Run's, and make the next one's places; says what resists."""
        try:
            self._take_away()
            workspace.remove(self._top, REMOVED)
            os.pwrite(self._record, pack((b"",)), 0)
            if not self._untouched():
                workspace.remove(self._top, RUN_DIRECTORY)
                self._made = _make(self._top)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""

    def remove(self, record: str) -> None:
        """Remove the slot's directory, in which only `record` is anybody else's. Raises OSError."""
        workspace.remove(self._top, RUN_DIRECTORY)
        os.unlink(WORKSPACE_RECORD, dir_fd=self._top)
        os.unlink(record, dir_fd=self._top)
        os.rmdir(self._path)

    def _take_away(self) -> None:
        if self._workspace:
            take_away(self._top, self._workspaces, self._workspace)
            self._workspace = ""

    def _untouched(self) -> bool:
        """True if the next Run may have the places of the last one, since it never used them."""
        try:
            return _look(self._top) == self._made
        except OSError:
            return False


def take_away(slot: int, workspaces: int, path: str) -> None:
    """Move a workspace into a slot's directory, where nobody else counts on it. Raises OSError."""
    directory, _, name = path.rpartition("/")
    with contextlib.suppress(FileNotFoundError):
        parent = workspace.open_below(workspaces, directory)
        try:
            os.rename(name, REMOVED, src_dir_fd=parent, dst_dir_fd=slot)
        finally:
            os.close(parent)


def recorded_workspace(slot: int) -> str:
    """The workspace that a slot's directory names; empty if it names none. Raises OSError, ValueError."""
    try:
        descriptor = os.open(WORKSPACE_RECORD, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=slot)
    except FileNotFoundError:
        return ""
    try:
        return unpack_first(workspace.read_all(descriptor)).decode()
    finally:
        os.close(descriptor)


def _make(slot: int) -> Look:
    """Make what a Run finds beside its workspace, ahead of it; how it looks untouched."""
    os.mkdir(RUN_DIRECTORY, 0o700, dir_fd=slot)
    os.mkdir(TEMPORARY, 0o700, dir_fd=slot)
    for path in (OUTPUTS, RESULT):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=slot))
    return _look(slot)


def _look(slot: int) -> Look:
    """How the places are; whatever a Run does to them shows in this.

    Where time stamps are coarse, a change right after the making shows in sizes and names alone.
    """
    places = (RUN_DIRECTORY, TEMPORARY, OUTPUTS, RESULT)
    found = [os.stat(name, dir_fd=slot, follow_symlinks=False) for name in places]
    return (
        tuple((one.st_ino, one.st_mode, one.st_nlink, one.st_ctime_ns) for one in found),
        tuple(one.st_size for one in found[2:]),
        _names(slot, RUN_DIRECTORY),
        _names(slot, TEMPORARY),
    )


def _names(slot: int, path: str) -> tuple[str, ...]:
    descriptor = workspace.open_below(slot, path)
    try:
        return tuple(os.listdir(descriptor))
    finally:
        os.close(descriptor)
