"""The client that tasks use when they are told of none; makes it when it is first needed."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Iterator

from kruntimes._client import Client

_lock = threading.Lock()
_client: Client | None = None


def default_client() -> Client:
    """Return the process's own client, made as `Client()` is."""
    global _client
    with _lock:
        if _client is None:
            _client = Client()
            atexit.register(_client.close)
        return _client


@contextlib.contextmanager
def use(client: Client) -> Iterator[Client]:
    """Have tasks use this client until the end of the block, in all threads."""
    global _client
    with _lock:
        before, _client = _client, client
    try:
        yield client
    finally:
        with _lock:
            _client = before
