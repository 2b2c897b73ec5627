"""Stand-ins for the world: an API server that does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from kruntimes.kubeconfig import ClusterAccess

Object = dict[str, Any]


def status(code: int, reason: str, message: str = "") -> Object:
    """A Kubernetes Status as an API server writes it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message or reason,
        "reason": reason,
        "code": code,
    }


class FakeApi:
    """A scripted API server: a few objects of one collection, and watches that the test speaks into.

    It answers lists from `objects`, records every request, and gives the answers in `answers` first,
    each once: `(method, code, body, headers)` for the next request of that method.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.version = 10
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answers: deque[tuple[str, int, Object, Mapping[str, str]]] = deque()
        self.watches: list[asyncio.Queue[bytes | None]] = []
        self.access = ClusterAccess("http://unset")
        self._changed = asyncio.Condition()
        self._responses: list[web.StreamResponse] = []

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[Self]:
        """A server on loopback for as long as the block lasts."""
        self = cls()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server(shutdown_timeout=0)
        self.access = ClusterAccess(str(server.make_url("")).rstrip("/"))
        try:
            yield self
        finally:
            for queue in self.watches:
                queue.put_nowait(None)
            await server.close()

    def set(self, name: str, **fields: Any) -> Object:
        """Store an object under the next version, without telling any watch."""
        self.version += 1
        known = self.objects.get(
            name, {"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}}
        )
        metadata = known["metadata"] | {"resourceVersion": str(self.version)} | fields.pop("metadata", {})
        self.objects[name] = known | fields | {"metadata": metadata}
        return self.objects[name]

    def drop(self, name: str) -> Object:
        """Take an object out under the next version, without telling any watch."""
        self.version += 1
        item = self.objects.pop(name)
        return item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}

    def tell(self, kind: str, item: Object) -> None:
        """Send one event on the newest watch."""
        self.watches[-1].put_nowait(json.dumps({"type": kind, "object": item}).encode() + b"\n")

    def tell_raw(self, text: bytes) -> None:
        """Send bytes on the newest watch."""
        self.watches[-1].put_nowait(text)

    def end_watch(self) -> None:
        """End the newest watch politely, as a server does after timeoutSeconds."""
        self.watches[-1].put_nowait(None)

    def cut_watch(self) -> None:
        """Cut the newest watch's connection in the middle of the answer."""
        transport = self._responses[-1]._req.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()
        self.watches[-1].put_nowait(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that a request changes is so."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(condition), 10)

    def lists(self) -> int:
        """How many lists were asked for."""
        return sum(1 for method, _, query, _ in self.requests if method == "GET" and "watch" not in query)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._changed:
            self.requests.append((request.method, request.path, dict(request.query), body))
            self._changed.notify_all()
        if self.answers and self.answers[0][0] == request.method:
            _, code, answer, headers = self.answers.popleft()
            return web.json_response(answer, status=code, headers=headers)
        if request.query.get("watch"):
            return await self._watch(request)
        if request.method == "GET":
            return self._list(request)
        return web.json_response(json.loads(body or b"{}"))

    def _list(self, request: web.Request) -> web.Response:
        names = sorted(self.objects)
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "1000"))
        more = str(start + limit) if start + limit < len(names) else ""
        items = [self.objects[name] for name in names[start : start + limit]]
        metadata = {"resourceVersion": str(self.version), "continue": more}
        return web.json_response({"kind": "List", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        async with self._changed:
            self.watches.append(queue)
            self._responses.append(response)
            self._changed.notify_all()
        while (line := await queue.get()) is not None:
            await response.write(line)
        return response
