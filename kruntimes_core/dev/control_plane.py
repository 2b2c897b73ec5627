"""The dev process from its first step to its last; holds no rule of any part."""

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from typing import IO

from kruntimes_core.clock import SystemClock
from kruntimes_core.dev.api_start import choose_port, wait_for_api
from kruntimes_core.dev.components import Component, Keeper
from kruntimes_core.dev.defaults import Defaults
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.leftovers import sweep_processes, sweep_sockets
from kruntimes_core.dev.processes import Spawner
from kruntimes_core.dev.reports import Reports, Topic
from kruntimes_core.dev.surroundings import make_python
from kruntimes_core.dev.volumes import make_private

PROGRAMS = (
    Component("scheduler", "kruntimes_core.apps.scheduler"),
    Component("controller", "kruntimes_core.apps.controller"),
)

log = logging.getLogger(__name__)


def api_module() -> str:
    """Return the program that serves the API: the embedded one, or one of the same arguments and files."""
    return os.environ.get("KRUNTIMES_DEV_APISERVER", "kruntimes_core.dev.apiserver")


@dataclass(frozen=True)
class Options:
    """What `krt dev up` was asked for."""

    port: int
    defaults: Defaults


class ControlPlane:
    """One embedded control plane from its start to its end."""

    def __init__(self, layout: Layout, lock: IO[str], options: Options, reports: Reports) -> None:
        self._layout, self._lock, self._options, self._reports = layout, lock, options, reports
        self._spawner = Spawner(layout.records)
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start everything, go on until SIGTERM or SIGINT, end everything."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._prepare()
        try:
            await self._start_and_go_on()
        finally:
            sweep_sockets(self._layout)
        self._layout.records.unlink(missing_ok=True)

    async def _start_and_go_on(self) -> None:
        api = self._keeper(self._api_component())
        process = api.start()
        # Loaded while the API server starts, since both take about half a second.
        from kruntimes_core.dev.cluster import COMPONENT_END_SECONDS, Ground, run_cluster
        from kruntimes_core.dev.former_life import clear_former_life

        access = await wait_for_api(self._layout, process, self._stop)
        if access is None:
            await process.stop(COMPONENT_END_SECONDS)
            return
        self._reports.say(Topic.PROGRESS, f"API server at {access.server}")
        await clear_former_life(access, SystemClock().now().wall)
        programs = [self._keeper(component) for component in PROGRAMS]
        ground = Ground(self._layout, self._lock, self._spawner, self._reports, self._options.defaults)
        await run_cluster(ground, access, api, programs, self._stop)

    def _prepare(self) -> None:
        for directory in (self._layout.data, self._layout.logs, self._layout.pods):
            make_private(directory)
        swept = sweep_processes(self._layout)
        if swept:
            log.warning("killed what an earlier start has left: %s", swept)
        sweep_sockets(self._layout)
        make_private(self._layout.sockets)
        make_python(self._layout)

    def _keeper(self, component: Component) -> Keeper:
        return Keeper(
            component, self._layout, self._spawner, lambda text: self._reports.say(Topic.PROGRESS, text)
        )

    def _api_component(self) -> Component:
        port = choose_port(self._options.port, self._layout)
        args = ("--data", str(self._layout.data), "--port", str(port))
        return Component("apiserver", api_module(), args)
