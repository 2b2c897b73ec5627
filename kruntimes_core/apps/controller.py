"""The controller's process: it keeps pools and deletes expired Runs, side by side; it schedules nothing."""

from __future__ import annotations

import asyncio
import sys

from kruntimes_core.apps.expiry import Expiry
from kruntimes_core.apps.pools import PoolKeeper
from kruntimes_core.apps.program import run_program
from kruntimes_core.clock import SystemClock
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.events import Recorder, Reporter
from kruntimes_core.kube.writes import CONTROLLER
from kruntimes_core.settings import ProgramSettings


async def control(client: Client, settings: ProgramSettings, stop: asyncio.Event) -> None:
    """Run both until told to stop; every write is whole, so they are simply cancelled."""
    clock = SystemClock()
    recorder = Recorder(client, Reporter(CONTROLLER), clock)
    pools = PoolKeeper(client, recorder, settings.daemon_image, settings.namespace)
    expiry = Expiry(client, clock, settings.namespace)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part.run()) for part in (pools, expiry, recorder)]
        await stop.wait()
        for task in running:
            task.cancel()


if __name__ == "__main__":
    sys.exit(run_program(CONTROLLER, control))
