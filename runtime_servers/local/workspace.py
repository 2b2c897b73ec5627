"""The directories of a Run: opened, filled, read back and removed; never through a link."""

import os
import stat
from collections.abc import Iterable
from typing import Final

from runtime_servers.local.messages import FILE_LARGE, FILE_NOT_PLAIN, FILE_READ, Left

DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A fifo must not hold up who opens it, and a link must not lead anywhere.
_READ_BACK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_below(top: int, path: str) -> int:
    """A descriptor of a directory below `top`. Raises OSError, also when a part of the path is a link."""
    descriptor = os.dup(top)
    for part in _parts(path):
        try:
            below = os.open(part, DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def is_file(top: int, path: str) -> bool:
    """True if there is a file of this path below `top`, and no link on the way."""
    try:
        *parents, last = _parts(path) or [""]
        parent = open_below(top, "/".join(parents))
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.stat(last, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return False
    finally:
        os.close(parent)


def write_files(top: int, files: Iterable[tuple[str, bytes]]) -> None:
    """Make new files below `top`, and the directories they need. Raises OSError if one is there already."""
    for path, data in files:
        *parents, last = _parts(path) or [""]
        made = ""
        for part in parents:
            made = f"{made}/{part}"
            _make_directory(top, made)
        parent = open_below(top, made)
        try:
            _write_new(parent, last, data)
        finally:
            os.close(parent)


def read_left(parent: int, name: str, most: int) -> Left:
    """What a program left in a file, at most `most` bytes; one that was removed counts as empty."""
    try:
        descriptor = os.open(name, _READ_BACK, dir_fd=parent)
    except FileNotFoundError:
        return Left(FILE_READ)
    except OSError:
        return Left(FILE_NOT_PLAIN)
    try:
        about = os.fstat(descriptor)
        # Another name for a file of somebody else's would make us read it out to the Run.
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            return Left(FILE_NOT_PLAIN)
        if about.st_size > most:
            return Left(FILE_LARGE)
        return Left(FILE_READ, os.pread(descriptor, most, 0))
    finally:
        os.close(descriptor)


def remove(parent: int, name: str) -> None:
    """Remove a tree of any depth, or a file, or nothing. Raises OSError for what cannot be removed.

    Every directory met is moved up beside the first, so that neither depth nor open descriptors grow.
    """
    left = [name]
    moved = 0
    while left:
        current = left.pop()
        try:
            _allow(parent, current)
            descriptor = os.open(current, DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            os.unlink(current, dir_fd=parent)
            continue
        try:
            for entry in os.listdir(descriptor):
                try:
                    os.unlink(entry, dir_fd=descriptor)
                except (IsADirectoryError, PermissionError):
                    _allow(descriptor, entry)
                    moved += 1
                    os.rename(entry, f"{name}.{moved}", src_dir_fd=descriptor, dst_dir_fd=parent)
                    left.append(f"{name}.{moved}")
        finally:
            os.close(descriptor)
        os.rmdir(current, dir_fd=parent)


def _allow(parent: int, name: str) -> None:
    """Take back the rights on a directory that a program closed to its owner."""
    # Only a path-only descriptor opens what may not be read, and chmod through it follows no link.
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(descriptor).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
    finally:
        os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    """The whole of an open file."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise NotADirectoryError(f"{path!r} has a '..' in it")
    return parts


def _make_directory(top: int, path: str) -> None:
    *parents, last = _parts(path)
    parent = open_below(top, "/".join(parents))
    try:
        os.mkdir(last, 0o755, dir_fd=parent)
    except FileExistsError:
        return
    finally:
        os.close(parent)


def _write_new(parent: int, name: str, data: bytes) -> None:
    descriptor = os.open(name, _NEW_FILE, 0o644, dir_fd=parent)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
