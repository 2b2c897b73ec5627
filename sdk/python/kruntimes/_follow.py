"""What a watch has told about Runs that somebody waits for. Pure: lines in, news out."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from kruntimes._errors import ApiError, KruntimesError, NotFound, Unreachable, WaitTimeout
from kruntimes._flow import LATER, ended, waits_for
from kruntimes._wire import Request

# The server ends a watch after this; one that nobody needs any more ends by itself then.
WATCH_SECONDS = 60
AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

Object = Mapping[str, Any]


@dataclass(frozen=True)
class News:
    """A Run as it is now; `gone` when it was deleted."""

    name: str
    object: Object
    gone: bool = False


@dataclass
class Following:
    """Where one watch stands: `position` is the version last seen, empty if unknown."""

    path: str
    selector: Mapping[str, str]
    position: str = ""
    known: set[str] = field(default_factory=set)

    def request(self) -> Request:
        """Return the request that goes on from here."""
        query = {
            **self.selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.position,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        return Request("GET", self.path, query)

    def feed(self, line: bytes) -> News | None:
        """Take one line of the watch; an expired position is forgotten, any other refusal is raised."""
        event = json.loads(line)
        kind, found = event["type"], event["object"]
        if kind == "ERROR":
            if found.get("code") == 410:
                self.position = ""
                return None
            raise ApiError(str(found.get("message")), int(found.get("code") or 0), str(found.get("reason")))
        self.position = found["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return None
        name = found["metadata"]["name"]
        gone = kind == "DELETED"
        (self.known.discard if gone else self.known.add)(name)
        return News(name, found, gone)

    def relisted(self, found: Iterable[Object], position: str) -> list[News]:
        """Take a whole list; what was known and is not in it has been deleted meanwhile."""
        self.position = position
        news = [News(item["metadata"]["name"], item) for item in found]
        missing = self.known - {item.name for item in news}
        self.known = {item.name for item in news}
        return [*news, *(News(name, {}, gone=True) for name in sorted(missing))]


class Signal(Protocol):
    """What is set when there is no more to wait for: an Event, of threads or of a loop."""

    def set(self) -> None:
        """Wake those who wait."""

    def is_set(self) -> bool:
        """Whether it was set."""


S = TypeVar("S", bound=Signal)


class Slot(Generic[S]):
    """What is known of one Run; kept by those who care for it, filled by the watch."""

    def __init__(self, name: str, settled: S) -> None:
        self.name = name
        self.uid = ""
        self.settled = settled
        self.object: Object | None = None
        self.error: KruntimesError | None = None
        self.listeners: list[Callable[[], None]] = []
        """Called when the slot is settled, maybe from another thread, maybe twice."""
        self.followed = False
        """Whether the watch has heard everything there was to hear of this Run."""

    def take(self, news: News) -> None:
        """Learn news; the end of a Run settles the slot for good, and so does a successor of its name."""
        if self.settled.is_set():
            return
        if news.gone or self._is_another(news.object):
            self.fail(NotFound(f"Run {self.name} was deleted before its end was seen", 404, "NotFound"))
            return
        self.object = news.object
        if ended(news.object):
            self._settle()

    def fail(self, error: KruntimesError) -> None:
        """Tell those who wait that nothing more will be learned."""
        if not self.settled.is_set():
            self.error = error
            self._settle()

    def outcome(self) -> Object:
        """Return the Run at its end, or raise why it was not seen."""
        if self.error is not None:
            raise self.error
        if self.object is None:
            raise AssertionError("a settled slot has an object or an error")
        return self.object

    def late(self, timeout: float | None) -> WaitTimeout:
        """Return the error of a wait that was over too soon; it tells what the Run waits for."""
        why = waits_for(self.object) if self.object else ""
        return WaitTimeout(f"Run {self.name} has not ended within {timeout:g} s{why}; it goes on")

    def _is_another(self, found: Object) -> bool:
        return self.uid not in ("", found["metadata"]["uid"])

    def _settle(self) -> None:
        self.settled.set()
        for tell in self.listeners:
            tell()


class Slots(Generic[S]):
    """The slots of one watch, for as long as somebody keeps them."""

    def __init__(self, signal: Callable[[], S]) -> None:
        self._signal = signal
        self._slots: weakref.WeakValueDictionary[str, Slot[S]] = weakref.WeakValueDictionary()

    def of(self, name: str, uid: str = "") -> Slot[S]:
        """Return the slot of a Run, from now on filled by whatever the watch hears."""
        slot = self._slots.get(name)
        if slot is None or slot.uid not in ("", uid):
            slot = self._slots[name] = Slot(name, self._signal())
        slot.uid = slot.uid or uid
        return slot

    def tell(self, news: Iterable[News]) -> None:
        """Hand each news to its slot."""
        for item in news:
            slot = self._slots.get(item.name)
            if slot is not None:
                slot.take(item)

    def fail_all(self, error: KruntimesError) -> None:
        """Tell all of them that nothing more will be learned."""
        for slot in list(self._slots.values()):
            slot.fail(error)


def may_pass(error: KruntimesError) -> bool:
    """Tell whether a watch that failed so may be opened later: the API server is away, or on its way."""
    return isinstance(error, Unreachable) or (isinstance(error, ApiError) and error.status in LATER)


def again_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS)) - 1] if failures else 0.0
