"""One watch that any number of threads wait on, begun when it is needed and gone on with when it breaks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._flow import Object
from kruntimes._follow import Following, Slot, Slots, again_after, may_pass
from kruntimes._wire import Stream, Transport

CLOSE_SECONDS = 5.0

List = Callable[[str, Mapping[str, str]], tuple[list[Object], str]]


ThreadSlot = Slot[threading.Event]


class SharedWatch:
    """Follows the Runs of one selector in one namespace.

    It ends when the last who needs it leaves, and begins again where it was for the next. A `lasting` one
    goes on until the server ends it, since the client's next Run is likely to want it.
    """

    def __init__(self, transport: Transport, list_all: List, following: Following, *, lasting: bool) -> None:
        self._transport, self._list, self._following = transport, list_all, following
        self._lasting = lasting
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

    @contextlib.contextmanager
    def needed(self) -> Iterator[None]:
        """Keep it going, once it runs, for as long as the block."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            stream = None
            with self._lock:
                self._waiting -= 1
                if not self._is_wanted():
                    stream, self._stream = self._stream, None
            if stream is not None:
                stream.close()

    def wait(self, slot: ThreadSlot, timeout: float | None) -> Object:
        """Return the Run at its end, if the watch runs meanwhile; raises WaitTimeout after `timeout`."""
        if not slot.settled.wait(timeout):
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

    def _run(self) -> None:
        """Follow for as long as anybody waits; the thread's whole life."""
        failures = 0
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                asked = self._follow_once()
                failures = 0 if asked or time.monotonic() - began > 1 else failures + 1
            except KruntimesError as error:
                if may_pass(error):
                    failures += 1
                else:
                    self._slots.fail_all(error)
            if self._rests():
                return
            if failures:
                self._closed.wait(again_after(failures))

    def _follow_once(self) -> bool:
        """Read one stream to its end; True when somebody here ended it."""
        following = self._following
        if not following.position:
            found, position = self._list(following.path, following.selector)
            self._slots.tell(following.relisted(found, position))
        stream = self._transport.stream(following.request())
        with self._lock:
            # Whoever wished its end while it was being opened has not seen it.
            if self._is_wanted():
                self._stream = stream
        try:
            for line in stream if self._stream is stream else ():
                news = following.feed(line)
                if news is not None:
                    self._slots.tell([news])
            return self._stream is not stream
        finally:
            with self._lock:
                self._stream = None
            stream.close()

    def _is_wanted(self) -> bool:
        """Tell, under the lock, whether a stream is to go on."""
        return not self._closed.is_set() and (self._lasting or self._waiting > 0)

    def _rests(self) -> bool:
        """End the thread when nobody waits; what comes later is read from where it stopped."""
        with self._lock:
            if self._waiting and not self._closed.is_set():
                return False
            self._thread = None
            return True
