"""One watch that any number of threads wait on, begun when it is needed and gone on with when it breaks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._flow import Object
from kruntimes._follow import Following, Slot, Slots, again_after
from kruntimes._wire import Stream, Transport

CLOSE_SECONDS = 5.0

List = Callable[[str, Mapping[str, str]], tuple[list[Object], str]]


ThreadSlot = Slot[threading.Event]


class SharedWatch:
    """Follows the Runs of one selector in one namespace."""

    def __init__(self, transport: Transport, list_all: List, following: Following) -> None:
        self._transport, self._list, self._following = transport, list_all, following
        self._slots = Slots(threading.Event)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stream: Stream | None = None
        self._waiting = 0
        self._closed = threading.Event()

    def slot(self, name: str, uid: str = "") -> ThreadSlot:
        """Return the slot of a Run, from now on filled by whatever the watch hears."""
        with self._lock:
            return self._slots.of(name, uid)

    def start(self, position: str) -> bool:
        """See that the watch runs; True when it begins at `position`, False when it is elsewhere already."""
        with self._lock:
            fresh = self._thread is None and not self._following.position
            if fresh:
                self._following.position = position
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kruntimes-watch", daemon=True)
                self._thread.start()
            return fresh

    def wait(self, slot: ThreadSlot, timeout: float | None) -> Object:
        """Return the Run at its end; raises WaitTimeout when that takes longer than `timeout` seconds."""
        with self.needed():
            self.start(self._following.position)
            done = slot.settled.wait(timeout)
        if not done:
            raise slot.late(timeout)
        return slot.outcome()

    def close(self) -> None:
        """End the watch; whoever still waits is told."""
        self._closed.set()
        with self._lock:
            stream, thread = self._stream, self._thread
        if stream is not None:
            stream.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)
        self._slots.fail_all(Unreachable("the client was closed"))

    @contextlib.contextmanager
    def needed(self) -> Iterator[None]:
        """Keep it going, once it runs, for as long as the block."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _run(self) -> None:
        """Follow for as long as anybody waits; the thread's whole life."""
        failures = 0
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._follow_once()
                failures = 0 if time.monotonic() - began > 1 else failures + 1
            except Unreachable:
                failures += 1
            except KruntimesError as error:
                self._slots.fail_all(error)
            if self._rests():
                return
            if failures:
                self._closed.wait(again_after(failures))

    def _follow_once(self) -> None:
        following = self._following
        if not following.position:
            found, position = self._list(following.path, following.selector)
            self._slots.tell(following.relisted(found, position))
        stream = self._transport.stream(following.request())
        with self._lock:
            self._stream = stream
        try:
            # `close` may have come while the stream was being opened, and not have seen it.
            for line in () if self._closed.is_set() else stream:
                news = following.feed(line)
                if news is not None:
                    self._slots.tell([news])
        finally:
            with self._lock:
                self._stream = None
            stream.close()

    def _rests(self) -> bool:
        """End the thread when nobody waits; what comes later is read from where it stopped."""
        with self._lock:
            if self._waiting and not self._closed.is_set():
                return False
            self._thread = None
            return True
