"""Keeps the logs of everything on this machine bounded; writes none."""

import asyncio
import logging
import os
import shutil
from pathlib import Path

from kruntimes_core.dev.layout import Layout

LIMIT_BYTES = 16 * 1024 * 1024
# Room for the longest output that a runtime server keeps of a Run, as lines.
POD_LIMIT_BYTES = 64 * 1024 * 1024
CHECK_SECONDS = 30.0

log = logging.getLogger(__name__)


async def keep_bounded(layout: Layout) -> None:
    """Look after all logs until cancelled."""
    for part in (*layout.logs.glob("*.log.part"), *layout.pods.glob("*/*.log.part")):
        part.unlink(missing_ok=True)  # of a process that was killed at it
    while True:
        for path in layout.logs.glob("*.log"):
            put_aside(path, LIMIT_BYTES)
        for path in layout.pods.glob("*/*.log"):
            put_aside(path, POD_LIMIT_BYTES)
        await asyncio.sleep(CHECK_SECONDS)


def former_of(path: Path) -> Path:
    """Return where the former self of a log is kept."""
    return path.with_name(f"{path.name}.1")


def part_of(path: Path) -> Path:
    """Return what is there only while a log is put aside."""
    return path.with_name(f"{path.name}.part")


def put_aside(path: Path, limit: int) -> None:
    """Copy a log longer than `limit` to its former self's place, and begin it anew.

    Writers keep their open file: all of them append, so they go on at its new end. Whoever follows it sees by
    the part that it is happening, and by another former self that it has happened.
    """
    former, part = former_of(path), part_of(path)
    try:
        if path.stat().st_size > limit:
            shutil.copyfile(path, part)
            os.truncate(path, 0)
            part.rename(former)
    except FileNotFoundError:
        return  # its Pod has gone meanwhile
    except OSError as error:
        log.warning("cannot put %s aside: %s", path, error)
