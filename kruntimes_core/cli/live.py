"""Shows a Run's output while somebody waits for its end, from a thread of its own; decides nothing."""

import threading
from collections.abc import Iterator
from typing import Protocol

from kruntimes import LogPiece

from kruntimes_core.cli.output import write_pieces


class Readable(Protocol):
    """A Run's handle, as far as showing its output needs it."""

    def logs(self, *, follow: bool = False) -> Iterator[LogPiece]:
        """Read its output in pieces."""


class Live:
    """The output of one Run, shown once: as it comes, or all of it at the end."""

    def __init__(self, handle: Readable) -> None:
        self._handle = handle
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Show it from now on."""
        self._thread = threading.Thread(target=self._show, name="krt-output", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Return when the output of a Run that has ended was shown; raises what went wrong with it."""
        if self._thread is None:
            self._show()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _show(self) -> None:
        try:
            write_pieces(self._handle.logs(follow=True))
        except Exception as error:  # a thread's own errors are told by who waits for it
            self._error = error
