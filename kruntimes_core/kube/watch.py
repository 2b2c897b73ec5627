"""Keeps a copy of one collection equal to the API server's and tells of each change; never writes to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError, Expired, Status, Unreachable, from_status
from kruntimes_core.kube.kinds import Kind
from kruntimes_core.kube.mirror import Changed, Gone, Mirror, Observed

PAGE = 500
LONGEST_PAUSE = 2.0
SHORTEST_WATCH = 1.0

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Observed)


@dataclass(frozen=True)
class Synced:
    """The copy is the server's again: after the first list, and after each break."""


@dataclass(frozen=True)
class Broken:
    """Changes no longer arrive; the copy may be old from now until the next Synced."""

    error: ApiError


Event = Changed[T] | Gone[T] | Synced | Broken


# Called with all that arrived together, in order; it must not block.
Consumer = Callable[[Sequence[Event[T]]], None]


@dataclass(frozen=True)
class Selection:
    """Which objects to follow."""

    kind: Kind
    namespace: str | None = None
    """None for all namespaces."""
    label_selector: str = ""
    field_selector: str = ""

    def query(self) -> dict[str, str]:
        """Query parameters that select them."""
        given = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in given.items() if value}


def _spread() -> int:
    return random.randint(240, 360)  # spread, so that watches do not all end together


def _pause(failures: int) -> float:
    return min(LONGEST_PAUSE, 0.05 * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Patience:
    """How long a reflector waits for what."""

    watch_seconds: Callable[[], int] = _spread
    """How long the server lets one watch last."""
    slack: float = 15.0
    """A watch that said nothing for so much longer than that is dead."""
    list_timeout: float = 60.0
    pause: Callable[[int], float] = _pause
    """Seconds before the next try after so many failures in a row."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _NameMeta(msgspec.Struct):
    namespace: str = ""
    name: str = ""


class _Named(msgspec.Struct):
    metadata: _NameMeta


class _Bookmark(msgspec.Struct):
    metadata: _ListMeta


_decode_list = msgspec.json.Decoder(_List).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode
_decode_status = msgspec.json.Decoder(Status).decode


class Reflector(Generic[T]):
    """Follows one selection for as long as `run` runs; survives everything the API server may do."""

    def __init__(
        self,
        client: Client,
        selection: Selection,
        decode: Callable[[msgspec.Raw], T],
        consumer: Consumer[T],
        patience: Patience | None = None,
    ) -> None:
        self.selection = selection
        self.mirror: Mirror[T] = Mirror()
        self._client = client
        self._decode = decode
        self._tell = consumer
        self._patience = patience or Patience()
        self._whole: bool | None = None
        self._missed = False
        self._failures = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                if not self.mirror.version or self._missed:
                    await self._list()
                await self._watch()
                continue
            except Expired as error:
                # What happened in between is gone: only a new list, compared with ours, can tell.
                self._missed = True
                first = self._failures == 0
                wait = self._break(error)
                if first:
                    continue  # the very list that follows is the cure
            except ApiError as error:
                wait = self._break(error)
            await asyncio.sleep(wait)

    def _break(self, error: ApiError) -> float:
        """Take note of a failure; give the seconds to wait before the next try."""
        self._failures += 1
        if self._whole is not False:
            self._whole = False
            self._tell([Broken(error)])
        return error.retry_after or self._patience.pause(self._failures)

    def _mend(self, events: list[Event[T]]) -> None:
        if not self._whole:
            self._whole = True
            events.append(Synced())

    async def _list(self) -> None:
        items: list[T] = []
        version, token = "", ""
        while True:
            page = {"limit": str(PAGE)} | ({"continue": token} if token else {})
            body = await self._client.list(
                self.selection.kind,
                self.selection.namespace,
                timeout=self._patience.list_timeout,
                **self.selection.query(),
                **page,
            )
            answer = _decoded(_decode_list, body)
            items += [item for raw in answer.items or () if (item := self._read(raw)) is not None]
            version, token = version or answer.metadata.resource_version, answer.metadata.continue_
            if not token:
                break
        events: list[Event[T]] = list(self.mirror.replace(items, version))
        self._missed = False
        self._mend(events)
        self._tell(events)

    async def _watch(self) -> None:
        seconds = self._patience.watch_seconds()
        query = self.selection.query() | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.mirror.version,
            "timeoutSeconds": str(seconds),
        }
        path = self.selection.kind.path(self.selection.namespace)
        stream = self._client.lines(path, query, seconds + self._patience.slack)
        clock = asyncio.get_running_loop().time
        opened = clock()
        async with contextlib.aclosing(stream):
            async for lines in stream:
                self._take(lines)
        if clock() - opened < SHORTEST_WATCH:
            # A server that ends every watch at once must not be asked in a tight loop.
            self._failures += 1
            await asyncio.sleep(self._patience.pause(self._failures))

    def _take(self, lines: Sequence[bytes]) -> None:
        events: list[Event[T]] = []
        # A stream that opened goes on where the last one ended: nothing was missed.
        self._mend(events)
        try:
            for line in lines:
                if line:
                    events += self._event(line)
                    self._failures = 0
        finally:
            if events:
                self._tell(events)

    def _event(self, line: bytes) -> Sequence[Event[T]]:
        event = _decoded(_decode_line, line)
        match event.type:
            case "ADDED" | "MODIFIED":
                return [] if (item := self._read(event.object)) is None else self.mirror.put(item)
            case "DELETED":
                return [] if (item := self._read(event.object)) is None else self.mirror.remove(item)
            case "BOOKMARK":
                self.mirror.advance(_decoded(_decode_bookmark, event.object).metadata.resource_version)
                return []
            case _:
                raise from_status(_decoded(_decode_status, event.object))

    def _read(self, raw: msgspec.Raw) -> T | None:
        try:
            return self._decode(raw)
        except ValueError as error:
            # One object that cannot be read must not stop all the others.
            log.error(
                "an object cannot be read, and is passed over",
                extra={"kind": self.selection.kind.name, "object": _name(raw), "error": str(error)},
            )
            return None


R = TypeVar("R")


def _decoded(decode: Callable[[bytes | msgspec.Raw], R], body: bytes | msgspec.Raw) -> R:
    try:
        return decode(body)
    except msgspec.DecodeError as error:
        # A connection cut in the middle of a line ends so; the resumed watch repeats the event.
        raise Unreachable(f"the API server's answer is cut off or not JSON: {error}") from error


def _name(raw: msgspec.Raw) -> str:
    metadata = msgspec.json.decode(raw, type=_Named).metadata
    return f"{metadata.namespace}/{metadata.name}"
