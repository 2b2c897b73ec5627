"""What a watch has told about Runs that somebody waits for. Pure: lines in, news out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kruntimes._errors import ApiError
from kruntimes._wire import Request

# The server ends a watch after this; one that nobody needs any more ends by itself then.
WATCH_SECONDS = 60

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
