"""The fake server in this process, at a socket of its own, for tests."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc.aio
import pytest
from kruntimes.server import Place, serving

from runtime_servers.fake.server import FakeServer
from tests.runtime_client import TOKEN, Client, Refused


@contextmanager
def own_place() -> Iterator[Place]:
    """A socket, a token and a spool in a directory that goes again."""
    directory = tempfile.mkdtemp(prefix="kruntimes-test-")  # short: a socket's path holds 107 bytes
    try:
        token = Path(directory, "token")
        token.write_text(TOKEN)
        yield Place(f"unix:{directory}/s.sock", str(token), f"{directory}/spool", 10.0)
    finally:
        shutil.rmtree(directory)


@asynccontextmanager
async def fake_server(capacity: Mapping[str, int] | None = None) -> AsyncIterator[Client]:
    """A client of a fake server that serves as long as the block runs."""
    with own_place() as place:
        async with (
            serving(FakeServer(capacity or {"runs": 3}), place),
            grpc.aio.insecure_channel(place.endpoint) as channel,
        ):
            yield Client(channel)


def refused(code: str, reason: str) -> pytest.RaisesExc[Refused]:
    """Expects a refusal with this code and this ErrorInfo reason."""
    return pytest.RaisesExc(Refused, check=lambda error: (error.code, error.reason) == (code, reason))
