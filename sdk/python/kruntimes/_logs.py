"""Drives one reading of a Run's output: a thread for the log, one for the Run, and no rule of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from kruntimes import frames
from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._flow import Object
from kruntimes._follow import again_after
from kruntimes._reading import Reading, follow_run, list_again, listed
from kruntimes._transcript import LogPiece
from kruntimes._wire import Request, Stream, Transport, accepted

AHEAD = 256
AGAIN_SECONDS = 0.5
Act = Callable[[], list[LogPiece]]


def read_output(transport: Transport, found: Object, follow: bool) -> Iterator[LogPiece]:
    """Return a Run's output piece by piece; with `follow`, until its end."""
    reading = Reading(found, follow)
    yield from reading.begin()
    if reading.over:
        return
    listening = _Listening(transport, reading, found)
    try:
        yield from listening.pieces()
    finally:
        listening.close()


class _Source:
    """One long answer, read by a thread of its own that hands on what it hears."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stream: Stream | None = None
        self._lock = threading.Lock()
        self.closed = threading.Event()

    def start(self, act: Callable[[_Source], None], name: str) -> None:
        """Let a thread act."""
        threading.Thread(target=act, args=(self,), name=name, daemon=True).start()

    def lines(self, request: Request) -> Iterator[bytes]:
        """Return the lines of one answer; none after `close`."""
        stream = self._transport.stream(request)
        with self._lock:
            self._stream = stream
        try:
            # `close` may have come while it was being opened.
            yield from () if self.closed.is_set() else stream
        finally:
            with self._lock:
                self._stream = None
            stream.close()

    def close(self) -> None:
        """End it, from any thread."""
        self.closed.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()


class _Listening:
    """The threads of one reading, and the order in which they are heard."""

    def __init__(self, transport: Transport, reading: Reading, found: Object) -> None:
        self._transport, self._reading, self._found = transport, reading, found
        self._mail: queue.Queue[tuple[_Source, Act]] = queue.Queue(AHEAD)
        self._watch = _Source(transport)
        self._log: _Source | None = None
        self._log_request: Request | None = None
        self._log_again = 0.0

    def pieces(self) -> Iterator[LogPiece]:
        """Read until it is over."""
        if self._reading.follow:
            self._watch.start(self._follow_run, "kruntimes-logs-run")
        heard, since = self._reading.heard, time.monotonic()
        while not self._reading.over:
            self._tend_log()
            act = self._hear(since)
            yield from act()
            if self._reading.heard != heard or self._reading.patience is None:
                heard, since = self._reading.heard, time.monotonic()

    def close(self) -> None:
        """End the threads."""
        self._watch.close()
        if self._log is not None:
            self._log.close()

    def _hear(self, since: float) -> Act:
        """Wait for what comes next: news, a line, silence for too long, or time to try the log again."""
        now = time.monotonic()
        waits = [self._log_again - now] if self._log is None and self._reading.wants else []
        if self._reading.patience is not None:
            waits.append(since + self._reading.patience - now)
        try:
            source, act = self._mail.get(timeout=max(min(waits), 0.001) if waits else None)
        except queue.Empty:
            patience = self._reading.patience
            over = patience is not None and time.monotonic() >= since + patience
            return self._reading.silent if over else _nothing
        return act if source in (self._watch, self._log) else _nothing

    def _tend_log(self) -> None:
        """Read the log that is wanted, and no other."""
        wanted = self._reading.wants
        if self._log is not None and wanted != self._log_request:
            self._log.close()
            self._log = None
            self._log_again = 0.0
        if wanted is not None and self._log is None and time.monotonic() >= self._log_again:
            self._log, self._log_request = _Source(self._transport), wanted
            self._log.start(partial(self._read_log, request=wanted), "kruntimes-logs-pod")

    def _log_is_over(self, error: KruntimesError | None = None) -> list[LogPiece]:
        self._log = None
        self._log_again = time.monotonic() + AGAIN_SECONDS
        return self._reading.log_failed(error) if error else self._reading.log_ended()

    # In threads of their own.

    def _read_log(self, source: _Source, request: Request) -> None:
        error = None
        try:
            for line in source.lines(request):
                if line.startswith(frames.MARK):
                    self._put(source, partial(self._reading.feed, line))
        except KruntimesError as failed:
            error = failed
        self._put(source, partial(self._log_is_over, error))

    def _follow_run(self, source: _Source) -> None:
        following = follow_run(self._found)
        failures = 0
        while not source.closed.is_set():
            try:
                if not following.position:
                    answer = accepted(self._transport.send(list_again(following)))
                    self._put(source, partial(self._reading.see, listed(following, answer)))
                for line in source.lines(following.request()):
                    failures = 0
                    if (news := following.feed(line)) is not None:
                        self._put(source, partial(self._reading.see, None if news.gone else news.object))
            except Unreachable:
                failures += 1
            except KruntimesError as error:
                self._put(source, partial(_fail, error))
                return
            source.closed.wait(again_after(failures))

    def _put(self, source: _Source, act: Act) -> None:
        """Hand on what is to be done by whoever reads; given up when nobody does any more."""
        while not source.closed.is_set():
            try:
                self._mail.put((source, act), timeout=0.5)
            except queue.Full:
                continue
            return


def _nothing() -> list[LogPiece]:
    return []


def _fail(error: KruntimesError) -> Any:
    raise error
