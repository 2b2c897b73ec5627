"""Lists and pages: every page of one list shows the same moment; it never writes."""

import base64
import uuid
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from kruntimes_core.dev.apiserver.errors import ApiError, bad_request, expired, timeout
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.apiserver.resources import Resource
from kruntimes_core.dev.apiserver.selectors import parse_fields, parse_labels
from kruntimes_core.dev.apiserver.store import Entry, Store, decode, encode
from kruntimes_core.dev.apiserver.watch import Selection

_SNAPSHOTS = 64
_STALE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter."
)


def selection(ask: Ask) -> Selection:
    """What a list, watch or deletecollection is about."""
    labels = parse_labels(ask.query.get("labelSelector", ""))
    named = "" if ask.name is None else f"metadata.name={ask.name}"
    text = named or ask.query.get("fieldSelector", "")
    fields = parse_fields(text, ask.resource.selects, ask.resource.field_refusal)
    return Selection(ask.resource, ask.namespace, labels, fields)


def body_of(resource: Resource, entry: Entry) -> bytes:
    """The object's JSON as this version of the resource shows it."""
    shown = resource.shown(entry.obj)
    return entry.raw if shown is entry.obj else encode(shown)


@dataclass(frozen=True)
class Page:
    """A part of a list, and where the rest begins."""

    entries: list[Entry]
    version: int
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, object]:
        """The list's own metadata."""
        found: dict[str, object] = {"resourceVersion": str(self.version)}
        if self.token:
            found["continue"] = self.token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


class Reads:
    """Lists over a store. A list asked for in pages is kept until it is read, among the latest few."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, tuple[int, list[Entry]]] = OrderedDict()

    def page(self, ask: Ask) -> Page:
        """The whole list, or the page the query asks for."""
        limit = ask.number("limit") or 0
        token = ask.query.get("continue", "")
        if token:
            return self._next(token, limit)
        asked = ask.number("resourceVersion") or 0
        if asked > self._store.committed:
            raise timeout(f"Too large resource version: {asked}, current: {self._store.committed}")
        if ask.query.get("resourceVersionMatch") == "Exact" and asked != self._store.committed:
            raise expired(f"The provided resource version is too old: {asked} ({self._store.committed})")
        wanted = selection(ask)
        entries = [e for e in self._candidates(ask) if wanted.includes(e)]
        return self._cut("", self._store.committed, entries, 0, limit)

    def _candidates(self, ask: Ask) -> list[Entry]:
        return self._store.listing(ask.resource.bucket, ask.namespace)

    def _next(self, token: str, limit: int) -> Page:
        name, start = _read_token(token)
        kept = self._snapshots.get(name)
        if kept is None:
            raise expired(_STALE)
        self._snapshots.move_to_end(name)
        return self._cut(name, kept[0], kept[1], start, limit)

    def _cut(self, name: str, version: int, entries: list[Entry], start: int, limit: int) -> Page:
        end = start + limit if limit else len(entries)
        if end >= len(entries):
            return Page(entries[start:], version)
        if not name:
            name = uuid.uuid4().hex
            self._snapshots[name] = (version, entries)
            while len(self._snapshots) > _SNAPSHOTS:
                self._snapshots.popitem(last=False)
        token = base64.urlsafe_b64encode(encode([name, end])).decode().rstrip("=")
        return Page(entries[start:end], version, token, len(entries) - end)


def _read_token(token: str) -> tuple[str, int]:
    try:
        content = decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        name, start = content
    except (ValueError, TypeError, msgspec.DecodeError) as error:
        raise _bad_token() from error
    if not isinstance(name, str) or not isinstance(start, int):
        raise _bad_token()
    return name, start


def _bad_token() -> ApiError:
    return bad_request("continue key is not valid: encoded continue token is not one of this server")


def list_body(resource: Resource, page: Page) -> bytes:
    """A list as JSON, put together from the objects' own."""
    head = encode(
        {"apiVersion": resource.api_version, "kind": resource.list_kind, "metadata": page.metadata()}
    )
    return b'%s,"items":[%s]}' % (head[:-1], b",".join(body_of(resource, entry) for entry in page.entries))
