"""Empties the runtime server before its Pod ends, for a preStop hook; never touches the API server."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from kruntimes_core.apps.daemon.settings import read_grace, read_settings
from kruntimes_core.apps.daemon.token import share_token
from kruntimes_core.daemon.server import Code
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed

log = logging.getLogger(__name__)

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
        log.warning("the server still holds Runs after %g s; they are requeued", grace)
        return 1
    except CallFailed as failed:
        if failed.code is not Code.UNAVAILABLE:
            log.error("cannot drain: %s", failed)
            return 1
        # A server that cannot be reached has ended, and holds nothing any more.
    finally:
        await client.close()
    return 0


async def _ask(client: RuntimeClient, timeout: float) -> None:
    try:
        await client.drain(timeout)
    except CallFailed as failed:
        if failed.code is not Code.UNIMPLEMENTED:
            raise
        log.warning("this runtime server cannot drain; waiting for its Runs to end")


async def _wait_until_empty(client: RuntimeClient) -> None:
    """Return when every Run was forgotten, so also stored."""
    pause = FIRST_LOOK
    while await client.list_runs():
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_LOOK)
