"""The programs of the control plane that the dev process keeps going; knows nothing of Pods."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from kruntimes_core.dev.backoff import Backoff
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.processes import Command, Process, Spawner

log = logging.getLogger(__name__)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Component:
    """One program: how it is called, and the module that is it."""

    name: str
    module: str
    args: tuple[str, ...] = ()


class Keeper:
    """Starts a component again whenever it ends, until it is stopped."""

    def __init__(self, component: Component, layout: Layout, spawner: Spawner, report: Report) -> None:
        self._component, self._layout, self._spawner, self._report = component, layout, spawner, report
        self._process: Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep it going until `stop`."""
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            code = await self._running().wait()
            if self._stopping.is_set():
                return
            backoff = backoff.after(clock() - began)
            self._report(f"{self._component.name} ended with {code} and is started again")
            log.warning("%s ended with %s", self._component.name, code)
            try:
                async with asyncio.timeout(backoff.delay):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def start(self) -> Process:
        """Start it now; `run` takes it over."""
        path = self._layout.log(self._component.name)
        argv = (sys.executable, "-m", self._component.module, *self._component.args)
        self._process = self._spawner.spawn(
            Command(self._component.name, argv, component_env(self._layout), self._layout.data, path)
        )
        return self._process

    async def stop(self, grace: float) -> None:
        """End it: politely, and after `grace` seconds by force."""
        self._stopping.set()
        if self._process is not None:
            await self._process.stop(grace)

    def _running(self) -> Process:
        return self._process if self._process and self._process.returncode is None else self.start()


def component_env(layout: Layout) -> dict[str, str]:
    """Return the environment of a component: ours, but that of a Pod we may ourselves be in."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    return {**own, "KUBECONFIG": str(layout.kubeconfig), "KRUNTIMES_DEV_DATA": str(layout.data)}
