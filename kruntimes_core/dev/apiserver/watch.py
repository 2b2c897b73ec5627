"""Who is told of which event; it never does I/O.

Watchers that ask for one value of a field are found by that value: an event costs the others nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kruntimes_core.dev.apiserver.resources import Resource
from kruntimes_core.dev.apiserver.selectors import EVERYTHING, Selector
from kruntimes_core.dev.apiserver.store import Entry, Event, encode

_QUEUE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """Which objects of a resource a list or watch is about."""

    resource: Resource
    namespace: str | None = None
    labels: Selector = EVERYTHING
    fields: Selector = EVERYTHING

    def includes(self, entry: Entry, fields: dict[str, str] | None = None) -> bool:
        """Whether the object is selected; `fields` spares working out its fields again."""
        if self.namespace is not None and entry.key[0] != self.namespace:
            return False
        if self.labels.requirements and not self.labels.matches(entry.obj["metadata"].get("labels") or {}):
            return False
        if not self.fields.requirements:
            return True
        return self.fields.matches(self.resource.fields(entry.obj) if fields is None else fields)


def change_for(selection: Selection, event: Event) -> tuple[str, Entry] | None:
    """What the event is to this selection: the type to send and the object with it."""
    old, new = event.old, event.new
    was = old is not None and selection.includes(old)
    now = new is not None and selection.includes(new)
    if now:
        assert new is not None
        return ("MODIFIED" if was else "ADDED", new)
    if not was:
        return None
    return ("DELETED", left(event))


def left(event: Event) -> Entry:
    """The last state of an object that is gone or is no longer selected, with the version of its going."""
    if event.gone is not None:
        return event.gone
    old = event.old
    assert old is not None
    metadata = old.obj["metadata"] | {"resourceVersion": str(event.version)}
    obj = old.obj | {"metadata": metadata}
    return Entry(old.key, event.version, obj, encode(obj))


Render = Callable[[str, Entry], bytes]


@dataclass(eq=False)
class Watcher:
    """One open watch: the lines that wait for it."""

    selection: Selection
    render: Render
    lines: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    overrun: bool = False
    ended: bool = False
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: Event) -> None:
        """Queue the event's line, if it is one for this watch."""
        change = change_for(self.selection, event)
        if change is not None:
            self.push(self.render(*change))

    def push(self, line: bytes) -> None:
        """Queue a line; a client that does not read is dropped in the end."""
        self.lines.append(line)
        self.waiting_bytes += len(line)
        self.overrun = self.waiting_bytes > _QUEUE_BYTES
        self._arrived.set()

    def take(self) -> bytes:
        """All that waits."""
        chunk = b"".join(self.lines)
        self.lines.clear()
        self.waiting_bytes = 0
        self._arrived.clear()
        return chunk

    def end(self) -> None:
        """Close the watch once all that waits is sent."""
        self.ended = True
        self._arrived.set()

    async def wait(self, seconds: float) -> bool:
        """Whether a line arrived in that time."""
        if self.lines:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True


class Hub:
    """The open watches of every bucket."""

    def __init__(self) -> None:
        self._wide: dict[str, dict[Watcher, None]] = {}
        self._narrow: dict[str, dict[str, dict[str, dict[Watcher, None]]]] = {}

    def __len__(self) -> int:
        narrow = (
            group for fields in self._narrow.values() for by in fields.values() for group in by.values()
        )
        return sum(map(len, self._wide.values())) + sum(map(len, narrow))

    def add(self, watcher: Watcher) -> None:
        """Tell this watcher from now on."""
        self._place(watcher)[watcher] = None

    def remove(self, watcher: Watcher) -> None:
        """Tell it no more."""
        self._place(watcher).pop(watcher, None)
        bucket, pair = watcher.selection.resource.bucket, watcher.selection.fields.equality()
        if pair is not None and not self._narrow[bucket][pair[0]][pair[1]]:
            del self._narrow[bucket][pair[0]][pair[1]]

    def _place(self, watcher: Watcher) -> dict[Watcher, None]:
        bucket, pair = watcher.selection.resource.bucket, watcher.selection.fields.equality()
        if pair is None:
            return self._wide.setdefault(bucket, {})
        return self._narrow.setdefault(bucket, {}).setdefault(pair[0], {}).setdefault(pair[1], {})

    def publish(self, event: Event) -> None:
        """Offer an event to those it can concern."""
        for watcher in self._wide.get(event.bucket, ()):
            watcher.offer(event)
        for name, by_value in self._narrow.get(event.bucket, {}).items():
            if by_value:
                for watcher in _concerned(name, by_value, event):
                    watcher.offer(event)

    def end_all(self, bucket: str | None = None) -> None:
        """Close the watches of a resource that is no longer served, or all of them."""
        for name in [bucket] if bucket is not None else [*self._wide, *self._narrow]:
            narrow = self._narrow.get(name, {})
            for watcher in [
                *self._wide.get(name, ()),
                *(w for by in narrow.values() for g in by.values() for w in g),
            ]:
                watcher.end()


def _concerned(name: str, by_value: dict[str, dict[Watcher, None]], event: Event) -> Iterable[Watcher]:
    resource = next(iter(next(iter(by_value.values())))).selection.resource
    values = {resource.fields(entry.obj).get(name, "") for entry in (event.old, event.new) if entry}
    return [watcher for value in values for watcher in by_value.get(value, ())]


def line(kind: str, body: bytes) -> bytes:
    """One event as it goes over the wire."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def bookmark(resource: Resource, version: int, *, initial_events_end: bool = False) -> bytes:
    """A line that tells a watcher how far it has come."""
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial_events_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    body = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return line("BOOKMARK", encode(body))
