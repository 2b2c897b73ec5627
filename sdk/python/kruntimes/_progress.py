"""The bar of a map on a terminal; draws, and knows nothing of Runs."""

from __future__ import annotations

import sys
from typing import TextIO

from kruntimes._window import Progress

WIDTH = 30


def draw(progress: Progress) -> str:
    """Return the one line that shows how far a map is."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    if progress.total is None:
        return f"{progress.done} done{failed}, {progress.in_flight} in flight"
    filled = WIDTH * progress.done // max(progress.total, 1)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {progress.done}/{progress.total}{failed}"


class Bar:
    """Keeps one line of a terminal up to date; stays silent where there is none."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, progress: Progress) -> None:
        """Draw it; the last item ends the line."""
        if not self._stream.isatty():
            return
        end = "\n" if progress.done == progress.total else ""
        self._stream.write(f"\r{draw(progress)}\033[K{end}")
        self._stream.flush()
