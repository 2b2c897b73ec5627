"""Who works on a data directory: one dev process at a time, known by pid and start time."""

import fcntl
import json
import os
from typing import IO

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.proc import start_time


class AlreadyRunningError(Exception):
    """Another dev process works on this data directory."""


def take_lock(layout: Layout) -> IO[str]:
    """Take the data directory until the returned file is closed; the kernel frees it at our death."""
    file = layout.lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AlreadyRunningError(f"another dev process works on {layout.data}") from error
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "start": start_time(os.getpid())}))
    file.flush()
    # Children must not keep the lock when this process dies.
    os.set_inheritable(file.fileno(), False)
    return file


def still_owned(layout: Layout, file: IO[str]) -> bool:
    """Tell whether the locked file is still in the data directory, which somebody may have removed."""
    try:
        return os.path.samestat(layout.lock.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def holder(layout: Layout) -> int | None:
    """Return the pid of the dev process that works on the data directory, None when there is none."""
    try:
        found = json.loads(layout.lock.read_text())
    except (FileNotFoundError, ValueError):
        return None
    pid = int(found["pid"])
    return pid if start_time(pid) == found["start"] else None
