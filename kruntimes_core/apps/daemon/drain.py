"""Empties the runtime server before its Pod ends: what a preStop hook runs; it never touches the API server."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Final

from kruntimes_core.apps.daemon.settings import read_grace, read_settings
from kruntimes_core.apps.daemon.token import share_token
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed, Meaning

# What the Pod still needs once the last Run has ended: to store its result, and to stop.
SPARE: Final = 5.0
FIRST_LOOK: Final = 0.05
LAST_LOOK: Final = 1.0


async def drain(env: Mapping[str, str]) -> int:
    """Drain the server and wait until it holds no Run; returns the exit code."""
    settings = read_settings(env)
    grace = read_grace(env)
    client = RuntimeClient(settings.endpoint, share_token(settings.token_file))
    try:
        async with asyncio.timeout(grace):
            await _ask(client, max(grace - SPARE, 0.0))
            await _wait_until_empty(client)
    except TimeoutError:
        print(f"drain: the server still holds Runs after {grace:g} s; they are requeued", file=sys.stderr)
        return 1
    except CallFailed as failed:
        if failed.meaning is not Meaning.UNKNOWN:
            print(f"drain: {failed}", file=sys.stderr)
            return 1
        # A server that cannot be reached has ended, and holds nothing any more.
    finally:
        await client.close()
    return 0


async def _ask(client: RuntimeClient, timeout: float) -> None:
    try:
        await client.drain(timeout)
    except CallFailed as failed:
        if failed.code != "UNIMPLEMENTED":
            raise
        print("drain: this runtime server cannot drain; waiting for its Runs to end", file=sys.stderr)


async def _wait_until_empty(client: RuntimeClient) -> None:
    """Return when every Run was forgotten, so also stored."""
    pause = FIRST_LOOK
    while await client.list_runs():
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_LOOK)
