"""A watch for the terminal: each change of a collection, until interrupted; prints nothing itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kruntimes import ApiError, Client, Unreachable
from kruntimes._wire import Request

from kruntimes_core.cli.tables import version_of

# Shorter than the silence after which the SDK takes a connection for dead.
WATCH_SECONDS = 60
# Between two watches when the first brought nothing.
PAUSE_SECONDS = 0.5
EXPIRED = 410

Found = Mapping[str, Any]


def changes(client: Client, request: Request, position: str) -> Iterator[Found]:
    """Yield every change after `position`; what the server has forgotten meanwhile is listed anew."""
    while True:
        quiet = True
        try:
            for kind, item in _events(client, request, position):
                position, quiet = version_of(item) or position, False
                if kind != "BOOKMARK":
                    yield item
        except ApiError as error:
            if error.status != EXPIRED:
                raise
            whole = client.ask(request)
            position = str(whole["metadata"].get("resourceVersion") or "")
            yield whole
        except Unreachable:
            # It is begun again where it broke; if the server is gone, this asks for a while and then says so.
            client.ask(replace(request, query={**request.query, "limit": "1"}))
        if quiet:
            threading.Event().wait(PAUSE_SECONDS)


def _events(client: Client, request: Request, position: str) -> Iterator[tuple[str, Found]]:
    query = {
        **request.query,
        "watch": "true",
        "resourceVersion": position,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(WATCH_SECONDS),
    }
    stream = client.stream(replace(request, query=query))
    try:
        yield from watch_events(stream)
    finally:
        stream.close()


def watch_events(lines: Iterator[bytes]) -> Iterator[tuple[str, Found]]:
    """Return the events of a watch; a refusal in its midst is raised."""
    for line in lines:
        event = json.loads(line)
        if event["type"] == "ERROR":
            raise ApiError(str(event["object"].get("message")), int(event["object"].get("code") or 0))
        yield event["type"], event["object"]
