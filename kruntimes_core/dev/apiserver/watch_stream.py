"""One watch over HTTP: what was, what comes, bookmarks, and its end; it never decides who is told."""

import random
from dataclasses import dataclass

from aiohttp import web

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver.errors import ApiError, bad_request, too_old
from kruntimes_core.dev.apiserver.reads import body_of, selection
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.apiserver.store import Store, encode
from kruntimes_core.dev.apiserver.watch import Hub, Render, Watcher, bookmark, change_for, line

_SHORTEST_DEFAULT = 1800.0
_BEFORE_END = 2.0
_BOOKMARK_EVERY = 60.0


@dataclass(frozen=True)
class Terms:
    """From where a watch starts and how long it lasts."""

    since: int | None
    initial_events: bool
    bookmarks: bool
    seconds: float


def terms(ask: Ask) -> Terms:
    """Read them from the query."""
    text = ask.query.get("resourceVersion", "")
    since = ask.number("resourceVersion")
    initial = "sendInitialEvents" in ask.query
    if initial and ask.query.get("resourceVersionMatch") != "NotOlderThan":
        raise bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if initial:
        initial = ask.flag("sendInitialEvents")
        since = None if initial or since is None else since
    elif text in ("", "0"):
        since = None
    seconds = ask.number("timeoutSeconds")
    lasting = float(seconds) if seconds else _SHORTEST_DEFAULT * (1 + random.random())
    return Terms(since, initial, ask.flag("allowWatchBookmarks"), lasting)


class Watches:
    """Opens watches on a store through its hub."""

    def __init__(self, store: Store, hub: Hub, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock

    async def serve(self, request: web.BaseRequest, ask: Ask, render: Render | None) -> web.StreamResponse:
        """Answer a watch until its time is over, its client leaves or the hub ends it."""
        asked = terms(ask)
        watcher = Watcher(
            selection(ask), render or (lambda kind, entry: line(kind, body_of(ask.resource, entry)))
        )
        self._hub.add(watcher)
        try:
            # Between here and the first await nothing can be committed: no event is missed or doubled.
            self._open(watcher, asked)
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.enable_chunked_encoding()
            await response.prepare(request)
            await self._stream(response, watcher, asked)
            await response.write_eof()
        except ConnectionError:
            pass  # the client left, which is how most watches end
        finally:
            self._hub.remove(watcher)
        return response

    def _open(self, watcher: Watcher, asked: Terms) -> None:
        wanted, resource = watcher.selection, watcher.selection.resource
        if asked.since is None:
            for entry in self._store.listing(resource.bucket, wanted.namespace):
                if wanted.includes(entry):
                    watcher.push(watcher.render("ADDED", entry))
            if asked.initial_events and asked.bookmarks:
                watcher.push(bookmark(resource, self._store.committed, initial_events_end=True))
            return
        missed = self._store.since(resource.bucket, asked.since)
        if missed is None:
            error = too_old(asked.since, self._store.bucket(resource.bucket).oldest)
            watcher.push(error_line(error))
            watcher.ended = True
            return
        for event in missed:
            change = change_for(wanted, event)
            if change is not None:
                watcher.push(watcher.render(*change))

    async def _stream(self, response: web.StreamResponse, watcher: Watcher, asked: Terms) -> None:
        resource = watcher.selection.resource
        now = self._clock.now().monotonic
        end, marked, told = now + asked.seconds, now, self._store.committed
        last_bookmark = end - min(_BEFORE_END, asked.seconds / 2)
        while True:
            if watcher.lines:
                await response.write(watcher.take())
            now = self._clock.now().monotonic
            if watcher.ended or watcher.overrun or now >= end:
                return
            due = min(last_bookmark, marked + _BOOKMARK_EVERY) if marked < last_bookmark else end
            if asked.bookmarks and now >= due and marked < last_bookmark:
                if self._store.committed > told or now >= last_bookmark:
                    told = self._store.committed
                    watcher.push(bookmark(resource, told))
                marked = now
                continue
            await watcher.wait(max(0.0, (due if asked.bookmarks else end) - now))


def error_line(error: ApiError) -> bytes:
    """An error inside a stream that has already begun."""
    return line("ERROR", encode(error.status()))
