"""Requests over the standard library's HTTP client, connections kept alive; the SDK's way to the network."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlencode, urlsplit

from kruntimes._errors import Unreachable
from kruntimes._wire import Request, Response, error_of
from kruntimes.kubeconfig import ClusterAccess

ANSWER_SECONDS = 30.0
# Longer than the server lets a watch last, so that only a dead connection meets it.
SILENCE_SECONDS = 90.0
IDLE_CONNECTIONS = 8
# A peer that vanished without a word is noticed after about half a minute.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
# What http.client raises when the other side had closed an idle connection.
BROKEN = (http.client.HTTPException, OSError)


class HttpTransport:
    """One API server; any number of threads may use it at once."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._target = urlsplit(access.server)
        self._context = access.ssl_context()
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """Ask once, on a connection that is open already if there is one."""
        connection = self._take()
        if connection is not None and request.method == "GET":
            # The server may have closed it meanwhile; a read loses nothing by asking anew.
            with contextlib.suppress(*BROKEN):
                return self._exchange(connection, request)
            connection = None
        connection = connection or self._connect(ANSWER_SECONDS)
        try:
            return self._exchange(connection, request)
        except BROKEN as error:
            raise unreachable(self._access, error) from error

    def stream(self, request: Request) -> LineStream:
        """Begin an answer that is read line by line, on a connection of its own."""
        connection = self._connect(SILENCE_SECONDS)
        sock = connection.sock
        try:
            self._begin(connection, request)
            response = connection.getresponse()
            if response.status < 400:
                return LineStream(response, sock)
            answer = Response(response.status, response.read())
        except BROKEN as error:
            connection.close()
            raise unreachable(self._access, error) from error
        connection.close()
        raise error_of(answer)

    def close(self) -> None:
        """Close the connections that wait for use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> Response:
        try:
            self._begin(connection, request)
            response = connection.getresponse()
            answer = Response(response.status, response.read(), seconds(response.getheader("Retry-After")))
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, response)
        return answer

    def _begin(self, connection: http.client.HTTPConnection, request: Request) -> None:
        path = self._target.path.rstrip("/") + url_path(request)
        sent = headers(request, self._access)
        connection.request(request.method, path, body=request.body, headers=sent)

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        with self._lock:
            if not response.will_close and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host = self._target.hostname or ""
        port = self._target.port or (80 if self._context is None else 443)
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.connect()
            # It would open itself again by itself, and without TLS.
            connection.auto_open = 0
            for option, value in KEEPALIVE:
                connection.sock.setsockopt(socket.IPPROTO_TCP, option, value)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._context is not None:
                name = self._access.server_name or host
                connection.sock = self._context.wrap_socket(connection.sock, server_hostname=name)
        except OSError as error:
            connection.close()
            raise unreachable(self._access, error) from error
        return connection


class LineStream:
    """One long answer; read by one thread, and closed by any."""

    def __init__(self, response: http.client.HTTPResponse, sock: socket.socket) -> None:
        self._response, self._sock = response, sock
        self._closed = False
        self._reading = threading.Lock()

    def __iter__(self) -> LineStream:
        """Return itself: it can be read once."""
        return self

    def __next__(self) -> bytes:
        """Return the next line; it ends when the server ends it, or when it was closed."""
        with self._reading:
            try:
                line = b"" if self._closed else self._response.readline()
            except BROKEN as error:
                if self._closed:
                    raise StopIteration from None
                raise Unreachable(f"the connection broke: {str(error) or type(error).__name__}") from error
        if not line or self._closed:
            raise StopIteration
        return line

    def close(self) -> None:
        """End it; the thread that reads sees its end."""
        self._closed = True
        # Not SSLSocket's own shutdown, which pulls the TLS state from under the reader.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        # The reader, if there is one, has just been told.
        with self._reading:
            self._response.close()
            self._sock.close()


def url_path(request: Request) -> str:
    """Return path and query as they are sent."""
    return f"{request.path}?{urlencode(request.query)}" if request.query else request.path


def headers(request: Request, access: ClusterAccess) -> dict[str, str]:
    """Return the headers to send, who we are among them."""
    sent = {"Accept": request.accept, "User-Agent": "kruntimes-sdk"}
    if request.body is not None:
        sent["Content-Type"] = request.content_type
    authorization = access.credential.authorization()
    if authorization is not None:
        sent["Authorization"] = authorization
    return sent


def unreachable(access: ClusterAccess, error: Exception) -> Unreachable:
    """Return our error for one of the network."""
    where = f"{access.server} (from {access.origin or 'the given access'})"
    what = str(error) or type(error).__name__
    return Unreachable(f"no answer from {where}: {what}; is it running? `krt dev up` starts one here")


def seconds(text: str | None) -> float | None:
    """Return the seconds that a Retry-After names."""
    return float(text) if text is not None and text.isdecimal() else None
