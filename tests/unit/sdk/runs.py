"""Builders of Run objects and a transport made of two functions, for the tests of the SDK."""

import json
import queue
import threading
from collections.abc import Callable
from typing import Any

from kruntimes._errors import KruntimesError
from kruntimes._wire import Request, Response


def make_run(name: str = "r", version: str = "5", phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version},
        "spec": {"runtime": "bash"},
        "status": {"phase": phase, **status},
    }


def line(kind: str, found: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode()


def answer(found: object, status: int = 200, retry_after: float | None = None) -> Response:
    return Response(status, json.dumps(found).encode(), retry_after)


def refusal(status: int, reason: str, message: str = "", **details: Any) -> Response:
    return answer({"kind": "Status", "reason": reason, "message": message, "details": details}, status)


class FakeStream:
    """A watch that a test speaks into; None ends it, an error breaks it."""

    def __init__(self) -> None:
        self.lines: queue.Queue[bytes | KruntimesError | None] = queue.Queue()
        self.asked = threading.Semaphore(0)
        """Released whenever a line is asked for: those before it have then been heard."""
        self.closed = threading.Event()
        self.may_close = threading.Event()
        self.may_close.set()

    def __iter__(self) -> "FakeStream":
        return self

    def __next__(self) -> bytes:
        self.asked.release()
        item = self.lines.get(timeout=10)
        if item is None:
            raise StopIteration
        if isinstance(item, KruntimesError):
            raise item
        return item

    def close(self) -> None:
        self.closed.set()
        assert self.may_close.wait(10)
        self.lines.put(None)


class FakeTransport:
    """Answers by one function, and opens watches that a test speaks into."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self.requests: list[Request] = []
        self.sent: queue.Queue[Request] = queue.Queue()
        self.opened: queue.Queue[tuple[Request, FakeStream]] = queue.Queue()
        self._handle = handle
        self._streams: list[FakeStream] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        self.sent.put(request)
        return self._handle(request)

    def stream(self, request: Request) -> FakeStream:
        stream = FakeStream()
        self._streams.append(stream)
        self.opened.put((request, stream))
        return stream

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
