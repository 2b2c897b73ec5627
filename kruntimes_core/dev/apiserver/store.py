"""All objects in memory, in versions, and their way to disk; it never looks inside an object.

A write is decided against `latest`, becomes durable in a batch with its neighbours, and only then is it
visible to readers and watchers, and acknowledged. Values are never changed in place.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from kruntimes_core.dev.apiserver.resources import Object

Key = tuple[str, str]  # namespace ("" for cluster-wide objects) and name
_HISTORY_EVENTS = 10_000
_HISTORY_BYTES = 16 * 1024 * 1024

encode = msgspec.json.encode
decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in one version, with its JSON made once for disk, answers and watches."""

    key: Key
    version: int
    obj: Object
    raw: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One object passed from one entry to another; `gone` is its last state when there is no other."""

    bucket: str
    version: int
    old: Entry | None
    new: Entry | None
    gone: Entry | None = None

    @property
    def shown(self) -> Entry:
        """What a watcher of everything is shown."""
        shown = self.new or self.gone
        assert shown is not None
        return shown


@dataclass
class Bucket:
    """The objects of one resource and its recent events."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    pending: dict[Key, Event] = field(default_factory=dict)
    history: deque[Event] = field(default_factory=deque)
    history_bytes: int = 0
    oldest: int = 0  # events up to and including this version are no longer kept


Commit = Callable[[list[Event]], Awaitable[None]]
Listener = Callable[[Event], None]


class Store:
    """The truth for reads. `submit` gives a write its version, `commit` shows a batch that is on disk."""

    def __init__(self, version: int) -> None:
        self.committed = version
        self._allocated = version
        self._start = version
        self._buckets: dict[str, Bucket] = {}
        self._listeners: list[Listener] = []

    def bucket(self, name: str) -> Bucket:
        """The bucket of a resource, made when it is first asked for."""
        found = self._buckets.get(name)
        if found is None:
            found = self._buckets[name] = Bucket(oldest=self._start)
        return found

    def buckets(self) -> Iterator[tuple[str, Bucket]]:
        """All buckets by name."""
        return iter(list(self._buckets.items()))

    def load(self, bucket: str, entry: Entry) -> None:
        """Take over an object found on disk at the start."""
        self.bucket(bucket).entries[entry.key] = entry

    def listen(self, listener: Listener) -> None:
        """Have every committed event shown, in the order of versions."""
        self._listeners.append(listener)

    def get(self, bucket: str, key: Key) -> Entry | None:
        """The object as readers see it."""
        return self.bucket(bucket).entries.get(key)

    def latest(self, bucket: str, key: Key) -> Entry | None:
        """The object as the next write must see it, with writes that are still on their way to disk."""
        place = self.bucket(bucket)
        pending = place.pending.get(key)
        return pending.new if pending is not None else place.entries.get(key)

    def submit(self, bucket: str, key: Key, obj: Object | None) -> Event:
        """Give the next version of an object (None: it goes) its number; the caller has it made durable."""
        old = self.latest(bucket, key)
        self._allocated += 1
        version = self._allocated
        shown = obj if obj is not None else (old.obj if old else None)
        assert shown is not None, "only what exists can go"
        stamped = shown | {"metadata": shown["metadata"] | {"resourceVersion": str(version)}}
        entry = Entry(key, version, stamped, encode(stamped))
        event = Event(bucket, version, old, entry if obj is not None else None, None if obj else entry)
        self.bucket(bucket).pending[key] = event
        return event

    def commit(self, events: list[Event]) -> None:
        """Show events that are on disk."""
        for event in events:
            place = self.bucket(event.bucket)
            key = event.shown.key
            if place.pending.get(key) is event:
                del place.pending[key]
            if event.new is not None:
                place.entries[key] = event.new
            else:
                place.entries.pop(key, None)
            self.committed = event.version
            self._remember(place, event)
            for listener in self._listeners:
                listener(event)

    @staticmethod
    def _remember(place: Bucket, event: Event) -> None:
        place.history.append(event)
        place.history_bytes += len(event.shown.raw)
        while len(place.history) > _HISTORY_EVENTS or place.history_bytes > _HISTORY_BYTES:
            dropped = place.history.popleft()
            place.history_bytes -= len(dropped.shown.raw)
            place.oldest = dropped.version

    def since(self, bucket: str, version: int) -> list[Event] | None:
        """The events after a version, or None when some of them are no longer kept."""
        place = self.bucket(bucket)
        if version < place.oldest:
            return None
        found: list[Event] = []
        for event in reversed(place.history):
            if event.version <= version:
                break
            found.append(event)
        return found[::-1]

    def listing(self, bucket: str, namespace: str | None) -> list[Entry]:
        """The objects of a resource, of one namespace or of all, in the order of their keys."""
        entries = self.bucket(bucket).entries
        if namespace is None:
            return [entries[key] for key in sorted(entries)]
        return [entries[key] for key in sorted(key for key in entries if key[0] == namespace)]
