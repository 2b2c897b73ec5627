"""Keeps the logs of everything on this machine bounded; writes none."""

import asyncio
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kruntimes_core.dev.layout import Layout

LIMIT_BYTES = 16 * 1024 * 1024
CHECK_SECONDS = 30.0

log = logging.getLogger(__name__)


async def keep_bounded(layout: Layout) -> None:
    """Look after all logs until cancelled."""
    while True:
        for path in _logs(layout):
            put_aside(path, LIMIT_BYTES)
        await asyncio.sleep(CHECK_SECONDS)


def put_aside(path: Path, limit: int) -> None:
    """Copy a log longer than `limit` to its former self's place, and begin it anew.

    Writers keep their open file: all of them append, so they go on at its new end.
    """
    try:
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)
    except FileNotFoundError:
        return  # its Pod has gone meanwhile
    except OSError as error:
        log.warning("cannot put %s aside: %s", path, error)


def _logs(layout: Layout) -> Iterator[Path]:
    yield from layout.logs.glob("*.log")
    yield from layout.pods.glob("*/*.log")
