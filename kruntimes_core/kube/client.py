"""Requests to one API server, bytes in and bytes out; never decodes an object and never decides anything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
import yarl
from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.kube.errors import ApiError, TooManyRequests, Unreachable, from_response
from kruntimes_core.kube.kinds import Kind, Ref

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

Body = bytes | Mapping[str, Any] | msgspec.Struct
"""JSON text, or something that becomes it."""

_LONGEST_LINE = 64 << 20


@dataclass(frozen=True)
class Request:
    """One HTTP request, whatever it asks for."""

    method: str
    path: str
    body: Body | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Client:
    """One API server, as one program.

    Any number of requests may be under way at once; nothing is held back on this side. What the server turned
    away with Retry-After (429) is sent again within its time limit, since nothing was done for it.
    """

    def __init__(self, access: ClusterAccess, program: str, timeout: float = 30.0) -> None:
        self.access = access
        self.program = program
        """Name sent as User-Agent and as the field manager of every write."""
        self._timeout = timeout
        self._manager = {"fieldManager": program}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ssl=self.access.ssl_context() or False, keepalive_timeout=60
            ),
            trust_env=False,  # else proxies and .netrc are read anew for each request, most of a call's CPU
            headers={"User-Agent": self.program, "Accept": "application/json"},
            skip_auto_headers={"Content-Type", "Accept-Encoding"},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=1 << 18,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, ref: Ref, *, timeout: float | None = None) -> bytes:
        """Read one object."""
        return await self.send(Request("GET", ref.path), timeout)

    async def list(
        self, kind: Kind, namespace: str | None = None, *, timeout: float | None = None, **query: str
    ) -> bytes:
        """Read a collection; `query` holds labelSelector, fieldSelector, limit, continue_ and the like."""
        return await self.send(Request("GET", kind.path(namespace), query=_wire(query)), timeout)

    async def create(self, kind: Kind, namespace: str | None, body: Body) -> bytes:
        """Create one object."""
        return await self.send(Request("POST", kind.path(namespace), body, self._manager))

    async def update(self, ref: Ref, body: Body) -> bytes:
        """Replace one object."""
        return await self.send(Request("PUT", ref.path, body, self._manager))

    async def patch(
        self, ref: Ref, body: Body, *, content_type: str = MERGE_PATCH, timeout: float | None = None
    ) -> bytes:
        """Change one object; a merge patch unless said."""
        return await self.send(Request("PATCH", ref.path, body, self._manager, content_type), timeout)

    async def patch_status(self, ref: Ref, body: Body, *, timeout: float | None = None) -> bytes:
        """Change the status of one object with a merge patch."""
        return await self.patch(ref.sub("status"), body, timeout=timeout)

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> bytes:
        """Delete one object; with `uid` only that very one, with `resource_version` only if unchanged."""
        given = {"uid": uid, "resourceVersion": resource_version}
        options: dict[str, Any] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
        }
        if preconditions := {key: value for key, value in given.items() if value}:
            options["preconditions"] = preconditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        return await self.send(Request("DELETE", ref.path, options))

    async def send(self, request: Request, timeout: float | None = None) -> bytes:
        """Send any request and give the body of its answer; errors are those of kube.errors."""
        clock = asyncio.get_running_loop().time
        limit = self._timeout if timeout is None else timeout
        deadline = clock() + limit
        while True:
            try:
                with _own_errors(request, self.access.server, limit):
                    async with asyncio.timeout_at(deadline), self._open(request) as response:
                        return await _body(response)
            except TooManyRequests as error:
                wait = error.retry_after
                if wait is None or clock() + wait >= deadline:
                    raise
            await asyncio.sleep(wait)

    async def lines(
        self, path: str, query: Mapping[str, str] | None = None, read_timeout: float | None = None
    ) -> AsyncGenerator[Sequence[bytes]]:
        """Read an answer that goes on (a watch, a followed log): the whole lines of each piece as it arrives.

        An empty piece comes first, once the server agreed. Ends when the server ends it; raises Unreachable
        when nothing came for `read_timeout` seconds.
        """
        request, rest = Request("GET", path, query=query or {}), bytearray()
        with _own_errors(request, self.access.server, read_timeout or 0):
            async with self._open(request, read_timeout) as response:
                if response.status >= 300:
                    await _body(response)
                try:
                    yield []
                    async for piece in response.content.iter_any():
                        rest += piece
                        if (end := rest.rfind(b"\n")) < 0:
                            _bound(rest, path)
                            continue
                        whole = bytes(rest[:end])
                        del rest[: end + 1]
                        yield whole.split(b"\n")
                finally:
                    # Left early, a TLS connection would linger until the server, too, agrees to its end.
                    _abort(response)
        if rest:
            yield [bytes(rest)]

    @contextlib.asynccontextmanager
    async def _open(
        self, request: Request, read_timeout: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("the client is not open: use it with `async with`")
        address = self.access.server + request.path
        if request.query:
            address += f"?{urlencode(request.query)}"
        headers = {} if request.body is None else {"Content-Type": request.content_type}
        if (authorization := self.access.credential.authorization()) is not None:
            headers["Authorization"] = authorization
        async with self._session.request(
            request.method,
            yarl.URL(address, encoded=True),
            data=_encoded(request.body),
            headers=headers,
            allow_redirects=False,  # a redirect would carry our token elsewhere
            server_hostname=self.access.server_name,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=read_timeout),
        ) as response:
            yield response


@contextlib.contextmanager
def _own_errors(request: Request, server: str, limit: float) -> Iterator[None]:
    what = f"{request.method} {server}{request.path}"
    try:
        yield
    except TimeoutError as error:
        raise Unreachable(f"{what}: no answer within {limit:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{what}: {str(error) or type(error).__name__}") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await response.read()
    if response.status >= 300:
        raise from_response(response.status, body, response.headers.get("Retry-After"))
    return body


def _abort(response: aiohttp.ClientResponse) -> None:
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _encoded(body: Body | None) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)


def _bound(line: bytearray, path: str) -> None:
    if len(line) > _LONGEST_LINE:
        raise ApiError(f"GET {path}: a line of more than {_LONGEST_LINE >> 20} MiB; giving up on this answer")


def _wire(query: Mapping[str, str]) -> Mapping[str, str]:
    # `continue` is a keyword of Python; a trailing underscore keeps it usable as an argument.
    return {key.rstrip("_"): value for key, value in query.items()}
