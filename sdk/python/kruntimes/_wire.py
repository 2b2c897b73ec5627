"""What passes between a flow and whoever carries it out: requests, pauses, answers. Pure."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from kruntimes._errors import ApiError, Conflict, Forbidden, NotFound, Refused

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One question to the API server; `path` begins with /api or /apis."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True)
class Response:
    """Its answer."""

    status: int
    body: bytes
    retry_after: float | None = None


@dataclass(frozen=True)
class Pause:
    """Wait before the next step."""

    seconds: float


T = TypeVar("T")
Flow = Generator[Request | Pause, Response | None, T]


class Stream(Protocol):
    """A long answer, line by line."""

    def __next__(self) -> bytes:
        """Return the next line; StopIteration at its end, Unreachable when the connection broke."""

    def __iter__(self) -> Stream:
        """Return itself."""

    def close(self) -> None:
        """End it, from any thread."""


class Transport(Protocol):
    """The one seam to the network; a test's own can be made of two functions."""

    def send(self, request: Request) -> Response:
        """Ask once; raises Unreachable when there was no answer."""

    def stream(self, request: Request) -> Stream:
        """Begin a long answer; raises Unreachable, or the ApiError of a refusal."""

    def close(self) -> None:
        """Give back all connections."""


class AsyncTransport(Protocol):
    """The same seam for the asynchronous client."""

    async def send(self, request: Request) -> Response:
        """Ask once; raises Unreachable when there was no answer."""

    def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Give a long answer line by line; raises Unreachable, or the ApiError of a refusal."""

    async def close(self) -> None:
        """Give back all connections."""


def to_json(value: object) -> bytes:
    """Return the body of a request."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def accepted(response: Response) -> dict[str, Any]:
    """Return the object in the answer; raises the typed error when the answer is no."""
    if response.status >= 400:
        raise error_of(response)
    found: dict[str, Any] = json.loads(response.body)
    return found


def error_of(response: Response) -> ApiError:
    """Return the typed error for a refusal."""
    try:
        status = json.loads(response.body)
        message, reason = str(status.get("message") or ""), str(status.get("reason") or "")
        causes = (status.get("details") or {}).get("causes") or []
    except (ValueError, AttributeError):
        message, reason, causes = response.body[:300].decode(errors="replace").strip(), "", []
    message = message or f"the API server answered {response.status}"
    kinds: dict[int, type[ApiError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict}
    if response.status in (400, 413, 422):
        first = causes[0] if causes else {}
        rule, about = str(first.get("message") or message), str(first.get("field") or "")
        if about == "metadata.uid":  # how a patch is refused that was meant for another object of that name
            return Conflict(message, response.status, reason)
        return Refused(message, response.status, reason, rule=rule, field=about)
    return kinds.get(response.status, ApiError)(message, response.status, reason)
