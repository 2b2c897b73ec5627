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
    while True:
        for path in layout.logs.glob("*.log"):
            put_aside(path, LIMIT_BYTES)
        for path in layout.pods.glob("*/*.log"):
            put_aside(path, POD_LIMIT_BYTES)
        await asyncio.sleep(CHECK_SECONDS)


def put_aside(path: Path, limit: int) -> None:
    """Copy a log longer than `limit` to its former self's place, and begin it anew.

    Writers keep their open file: all of them append, so they go on at its new end. Whoever follows it sees
    that the former self is another one, and that only when both are as they will be.
    """
    former = path.with_name(f"{path.name}.1")
    part = path.with_name(f"{path.name}.part")
    try:
        if path.stat().st_size > limit:
            shutil.copyfile(path, part)
            os.truncate(path, 0)
            part.rename(former)
    except FileNotFoundError:
        return  # its Pod has gone meanwhile
    except OSError as error:
        log.warning("cannot put %s aside: %s", path, error)
