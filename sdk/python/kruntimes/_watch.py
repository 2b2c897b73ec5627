"""One watch that any number of threads wait on, begun when it is needed and gone on with when it breaks."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping

from kruntimes._errors import KruntimesError, NotFound, Unreachable, WaitTimeout
from kruntimes._flow import Object, ended
from kruntimes._follow import Following, News
from kruntimes._wire import Stream, Transport

AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
CLOSE_SECONDS = 5.0

List = Callable[[str, Mapping[str, str]], tuple[list[Object], str]]


class Slot:
    """What is known of one Run; kept by those who care for it, filled by the watch."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.object: Object | None = None
        self.error: KruntimesError | None = None
        self.settled = threading.Event()
        self.followed = False
        """Whether the watch has heard everything there was to hear of this Run."""

    def take(self, news: News) -> None:
        """Learn news; the end of a Run settles the slot for good."""
        if self.settled.is_set():
            return
        if news.gone:
            last = self.object
            if last is None or not ended(last):
                self.error = NotFound(f"Run {self.name} was deleted before its end was seen", 404, "NotFound")
            self.settled.set()
            return
        self.object = news.object
        if ended(news.object):
            self.settled.set()

    def fail(self, error: KruntimesError) -> None:
        """Tell those who wait that nothing more will be learned."""
        if not self.settled.is_set():
            self.error = error
            self.settled.set()


class SharedWatch:
    """Follows the Runs of one selector in one namespace."""

    def __init__(self, transport: Transport, list_all: List, following: Following) -> None:
        self._transport, self._list, self._following = transport, list_all, following
        self._slots: weakref.WeakValueDictionary[str, Slot] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stream: Stream | None = None
        self._waiting = 0
        self._closed = threading.Event()

    def slot(self, name: str) -> Slot:
        """Return the slot of a Run, from now on filled by whatever the watch hears."""
        with self._lock:
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = Slot(name)
            return slot

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

    def wait(self, slot: Slot, timeout: float | None) -> Object:
        """Return the Run at its end; raises WaitTimeout when that takes longer than `timeout` seconds."""
        with self._waits():
            self.start(self._following.position)
            done = slot.settled.wait(timeout)
        if not done:
            raise WaitTimeout(f"Run {slot.name} has not ended within {timeout:g} s; it goes on")
        if slot.error is not None:
            raise slot.error
        if slot.object is None:
            raise AssertionError("a settled slot has an object or an error")
        return slot.object

    def close(self) -> None:
        """End the watch; whoever still waits is told."""
        self._closed.set()
        with self._lock:
            stream, thread = self._stream, self._thread
        if stream is not None:
            stream.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)
        for slot in list(self._slots.values()):
            slot.fail(Unreachable("the client was closed"))

    @contextlib.contextmanager
    def _waits(self) -> Iterator[None]:
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
                self._fail_all(error)
            if self._rests():
                return
            if failures:
                self._closed.wait(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS)) - 1])

    def _follow_once(self) -> None:
        following = self._following
        if not following.position:
            found, position = self._list(following.path, following.selector)
            self._tell(following.relisted(found, position))
        stream = self._transport.stream(following.request())
        with self._lock:
            self._stream = stream
        try:
            # `close` may have come while the stream was being opened, and not have seen it.
            for line in () if self._closed.is_set() else stream:
                news = following.feed(line)
                if news is not None:
                    self._tell([news])
        finally:
            with self._lock:
                self._stream = None
            stream.close()

    def _tell(self, news: list[News]) -> None:
        for item in news:
            slot = self._slots.get(item.name)
            if slot is not None:
                slot.take(item)

    def _fail_all(self, error: KruntimesError) -> None:
        for slot in list(self._slots.values()):
            slot.fail(error)

    def _rests(self) -> bool:
        """End the thread when nobody waits; what comes later is read from where it stopped."""
        with self._lock:
            if self._waiting and not self._closed.is_set():
                return False
            self._thread = None
            return True
