"""Directories of a Pod on this machine: made with their files before it starts, removed when it is gone."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.podspec import Volume

PRIVATE = 0o700


def make_private(path: Path) -> None:
    """Make a directory that only this user may enter; refuse one that somebody else has put there."""
    path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{path} is not a directory of this user; remove it or choose another place")
    if stat.S_IMODE(found.st_mode) != PRIVATE:
        path.chmod(PRIVATE)


def make_pod_directories(layout: Layout, uid: str, volumes: Sequence[Volume]) -> None:
    """Make the Pod's own directories, its volumes and the files in them."""
    for own in (layout.pod(uid), layout.pod(uid) / "home", layout.pod(uid) / "tmp"):
        make_private(own)
    for volume in volumes:
        directory = layout.volume(uid, volume.name, memory=volume.memory)
        make_private(directory)
        for name, text in volume.files:
            write_private(directory / name, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read; readers see the old text or the new one, never a part."""
    path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def remove_pod_directories(layout: Layout, uid: str) -> None:
    """Remove everything the Pod had on disk, logs included."""
    remove_tree(layout.pod_sockets(uid))
    remove_tree(layout.pod(uid))


def remove_tree(path: Path) -> None:
    """Remove a directory whatever modes a Run has left in it; one that is not there is no error."""

    def open_up(function: Callable[..., Any], name: str, error: BaseException) -> None:
        if isinstance(error, FileNotFoundError):
            return
        os.chmod(os.path.dirname(name), PRIVATE)
        if os.path.isdir(name) and not os.path.islink(name):
            os.chmod(name, PRIVATE)
            shutil.rmtree(name)
        else:
            os.unlink(name)

    if not path.is_dir():
        return
    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=open_up)
    else:
        shutil.rmtree(path, onerror=lambda function, name, found: open_up(function, name, found[1]))
