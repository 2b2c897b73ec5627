"""How one of our programs starts and ends; it knows nothing of what the program does."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

from kruntimes.kubeconfig import KubeconfigError, for_program

from kruntimes_core.kube.client import Client
from kruntimes_core.settings import ProgramSettings, SettingRefused, from_environment
from kruntimes_core.telemetry import set_up_logging

log = logging.getLogger(__name__)

Body = Callable[[Client, ProgramSettings, asyncio.Event], Awaitable[None]]
"""What a program does until the event is set."""


def run_program(name: str, body: Body) -> int:
    """Run until SIGTERM or SIGINT; give the exit code."""
    try:
        settings = from_environment()
        set_up_logging(name, settings.log_level)
        client = Client(for_program(), name)
    except (SettingRefused, KubeconfigError) as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 there may be no log yet
        return 2
    asyncio.run(_run(client, settings, body))
    return 0


async def _run(client: Client, settings: ProgramSettings, body: Body) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with client:
        log.info("starting", extra={"server": client.access.server})
        await body(client, settings, stop)
    log.info("ended")
