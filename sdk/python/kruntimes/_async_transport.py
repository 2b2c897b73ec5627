"""Requests over aiohttp, connections kept alive; the asynchronous client's way to the network."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator

import aiohttp
from yarl import URL

from kruntimes._errors import Unreachable
from kruntimes._transport import ANSWER_SECONDS, SILENCE_SECONDS, headers, seconds, unreachable, url_path
from kruntimes._wire import Request, Response, error_of
from kruntimes.kubeconfig import ClusterAccess

CONNECTIONS = 16
# Of the loop, in which connections that were closed or broken off let go of their sockets.
CLOSING_TURNS = 3
# One line of a watch is one whole object: two payloads in base64 and more.
LINE_BYTES = 1 << 22
BROKEN = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class AsyncHttpTransport:
    """One API server, for the coroutines of one loop."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """Ask once, on a connection that is open already if there is one."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._begin(request, timeout) as answer:
                body = await answer.read()
                return Response(answer.status, body, seconds(answer.headers.get("Retry-After")))
        except BROKEN as error:
            raise unreachable(self._access, error) from error

    async def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Give a long answer line by line."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS)
        try:
            async with self._begin(request, timeout) as answer:
                if answer.status >= 400:
                    raise error_of(Response(answer.status, await answer.read()))
                try:
                    async for line in answer.content:
                        yield line
                finally:
                    _break_off(answer)
        except ValueError as error:  # aiohttp's word for a line longer than LINE_BYTES
            raise Unreachable(f"the API server sent a line that is too long: {error}") from error
        except BROKEN as error:
            raise Unreachable(f"the connection broke: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            for _ in range(CLOSING_TURNS):
                await asyncio.sleep(0)

    def _begin(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.client._RequestContextManager:
        session = self._session = self._session or self._open()
        # Encoded already: yarl would decode what a selector's text needs encoded.
        url = URL(self._access.server.rstrip("/") + url_path(request), encoded=True)
        return session.request(
            request.method,
            url,
            # aiohttp warns of large bytes; it wants a file.
            data=None if request.body is None else io.BytesIO(request.body),
            headers=headers(request, self._access),
            timeout=timeout,
            server_hostname=self._access.server_name,
        )

    def _open(self) -> aiohttp.ClientSession:
        context = self._access.ssl_context()
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, ssl=True if context is None else context)
        return aiohttp.ClientSession(connector=connector, read_bufsize=LINE_BYTES)


def _break_off(answer: aiohttp.ClientResponse) -> None:
    """End an answer that still goes on, without the farewell of TLS, which nobody would wait for."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
