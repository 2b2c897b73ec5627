"""Makes, fills and removes the directories Runs work in; never follows a link and never leaves their root."""

import os
import re
import secrets
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

PATH_BYTES: Final = 4096
NAME_BYTES: Final = 255
DIRECTORY_MODE: Final = 0o755
FILE_MODE: Final = 0o644
# Names that begin with a dot are ours; no Run has one, since a UID does not begin with a dot.
FILLING: Final = ".filling-"
REMOVED: Final = ".removed-"
# A runtime server may keep a directory of its own under the same root: that one is not ours to touch.
_OURS: Final = re.compile(rf"[A-Za-z0-9-]+-[0-9]+|{re.escape(FILLING)}.+|{re.escape(REMOVED)}.+")

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class BadPath(ValueError):
    """A file of a Run names a place it cannot have; the message names the path."""


@dataclass(frozen=True, slots=True)
class File:
    """One file to put in place; its path is relative to the directory of the Run."""

    path: str
    data: bytes


def split_path(path: str) -> tuple[bytes, ...]:
    """The parts of a relative path; BadPath if it is absolute or empty, leaves its root, or is too long."""
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        raise BadPath(f"path {path!r} is not valid Unicode text") from None
    parts = tuple(part for part in raw.split(b"/") if part not in (b"", b"."))
    if raw.startswith(b"/"):
        raise BadPath(f"path {path!r} is absolute; give one relative to the Run's directory")
    if b".." in parts:
        raise BadPath(f"path {path!r} has a '..' in it and would leave the Run's directory")
    if not parts or b"\0" in raw:
        raise BadPath(f"path {path!r} names no file")
    if len(raw) > PATH_BYTES or max(map(len, parts)) > NAME_BYTES:
        shown = path[:60]
        raise BadPath(f"path {shown!r}... is over {PATH_BYTES} bytes long, or a part of it over {NAME_BYTES}")
    return parts


class Workspaces:
    """The directories of a member's Runs, side by side under one root. It blocks: call it in a thread."""

    def __init__(self, root: str) -> None:
        os.makedirs(root, mode=0o711, exist_ok=True)
        self.root = os.path.realpath(root)
        self._root_fd = os.open(self.root, _DIRECTORY)
        self._standing = threading.Lock()

    def close(self) -> None:
        """Let go of the root; the directories stay."""
        os.close(self._root_fd)

    def path(self, name: str) -> str:
        """Where the directory of that name is, or would be."""
        return os.path.join(self.root, name)

    def fill(self, name: str, files: Iterable[File]) -> str:
        """Make the directory with these files in it and return its path; it appears whole or not at all.

        One of that name that is there already is replaced: it was never handed over, or who had it is gone.
        """
        _check_name(name)
        self._stand()
        filling = f"{FILLING}{secrets.token_hex(8)}"
        os.mkdir(filling, 0o700, dir_fd=self._root_fd)
        try:
            with _opened(filling, self._root_fd) as top:
                for file in files:
                    _write(top, file)
            self.remove(name)
            os.rename(filling, name, src_dir_fd=self._root_fd, dst_dir_fd=self._root_fd)
        except BaseException:
            self._remove_tree(filling)
            raise
        return self.path(name)

    def remove(self, name: str) -> None:
        """Remove the directory of that name, if it is there."""
        removed = f"{REMOVED}{secrets.token_hex(8)}"
        # Moved away first, so that a name is never seen half empty.
        with suppress(FileNotFoundError):
            os.rename(name, removed, src_dir_fd=self._root_fd, dst_dir_fd=self._root_fd)
            if _is_directory(removed, self._root_fd):
                self._remove_tree(removed)
            else:
                os.unlink(removed, dir_fd=self._root_fd)

    def names(self) -> frozenset[str]:
        """The directories of Runs, half-made and half-removed ones included; `remove` takes each of them."""
        return frozenset(filter(_OURS.fullmatch, os.listdir(self._root_fd)))

    def _stand(self) -> None:
        """Make the root anew if a program has removed it: that is to harm no Run but its own."""
        with self._standing:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self.root, follow_symlinks=False), os.fstat(self._root_fd)):
                    return
            os.makedirs(self.root, mode=0o711, exist_ok=True)
            anew = os.open(self.root, _DIRECTORY)
            # The number stays, so that a thread that is at work with it finds a root and no stranger's file.
            os.dup2(anew, self._root_fd, inheritable=False)
            os.close(anew)

    def _remove_tree(self, name: str) -> None:
        """Remove a tree of any depth: each directory met moves up to the root first, so nothing recurses."""
        left = [name]
        moved = 0
        while left:
            current = left.pop()
            _unlock(current, self._root_fd)
            with _opened(current, self._root_fd) as fd:
                for entry in os.listdir(fd):
                    with suppress(FileNotFoundError):
                        if not _is_directory(entry, fd):
                            os.unlink(entry, dir_fd=fd)
                            continue
                        _unlock(entry, fd)
                        moved += 1
                        os.rename(entry, f"{name}-{moved}", src_dir_fd=fd, dst_dir_fd=self._root_fd)
                        left.append(f"{name}-{moved}")
            with suppress(FileNotFoundError):
                os.rmdir(current, dir_fd=self._root_fd)


def _check_name(name: str) -> None:
    if name.startswith(".") or len(split_path(name)) != 1 or "/" in name:
        raise BadPath(f"{name!r} cannot be the name of a Run's directory")


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


@contextmanager
def _opened(name: str | bytes, parent: int) -> Iterator[int]:
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _unlock(name: str, parent: int) -> None:
    """Take back the right to read and change a directory that a program closed to its owner."""
    # Python cannot chmod without following links; through a path-only descriptor it acts on what was opened.
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_IMODE(os.fstat(fd).st_mode) & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)


def _write(top: int, file: File) -> None:
    *parents, last = split_path(file.path)
    fd = os.dup(top)
    try:
        for part in parents:
            with suppress(FileExistsError):
                os.mkdir(part, DIRECTORY_MODE, dir_fd=fd)
            below = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
        _write_new(last, fd, file.data)
    except FileExistsError:
        raise BadPath(f"path {file.path!r} is given twice") from None
    except (NotADirectoryError, IsADirectoryError):
        raise BadPath(f"path {file.path!r} passes through another file of the Run, or a link") from None
    finally:
        os.close(fd)


def _write_new(name: bytes, parent: int, data: bytes) -> None:
    fd = os.open(name, _NEW_FILE, FILE_MODE, dir_fd=parent)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
    finally:
        os.close(fd)
