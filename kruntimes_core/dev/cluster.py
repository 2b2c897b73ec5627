"""The parts of the control plane that live in the dev process: run together, and ended in order."""

import asyncio
import logging
from dataclasses import dataclass
from typing import IO

from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.clock import SystemClock
from kruntimes_core.dev.components import Keeper
from kruntimes_core.dev.defaults import Defaults
from kruntimes_core.dev.deployments import DeploymentController
from kruntimes_core.dev.garbage import GarbageCollector
from kruntimes_core.dev.isolation import find_wrapper
from kruntimes_core.dev.kubelet import Kubelet
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.logfiles import keep_bounded
from kruntimes_core.dev.ownlock import still_owned
from kruntimes_core.dev.pod_life import Machine
from kruntimes_core.dev.processes import Spawner
from kruntimes_core.dev.reports import Reports, Topic
from kruntimes_core.dev.runtimes import RuntimeReporter
from kruntimes_core.kube.client import Client

DATA_CHECK_SECONDS = 5.0
# Each step of the end has its bound, and their sum is what `krt dev down` waits for.
PODS_END_SECONDS = 5.0
COMPONENT_END_SECONDS = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ground:
    """What the parts stand on."""

    layout: Layout
    lock: IO[str]
    spawner: Spawner
    reports: Reports
    defaults: Defaults


async def run_cluster(
    ground: Ground, access: ClusterAccess, api: Keeper, programs: list[Keeper], stop: asyncio.Event
) -> None:
    """Keep every part going until the end is asked for; then end them in the order of their needs."""
    machine = Machine(ground.layout, ground.spawner, find_wrapper(), lambda: SystemClock().now().wall)
    ground.reports.say(Topic.PROGRESS, how_pods_run(machine))
    async with Client(access, "kruntimes-dev") as client, asyncio.TaskGroup() as group:
        kubelet = Kubelet(client, access, machine)
        runtimes = RuntimeReporter(client, ground.defaults, ground.reports)
        parts = (kubelet, DeploymentController(client), GarbageCollector(client), runtimes)
        keepers = [group.create_task(keeper.run()) for keeper in (api, *programs)]
        followers = [group.create_task(part.run()) for part in parts]
        followers.append(group.create_task(_watch_data(ground, stop)))
        followers.append(group.create_task(keep_bounded(ground.layout)))
        await stop.wait()
        log.info("ending")
        await asyncio.gather(
            kubelet.stop(PODS_END_SECONDS), *(program.stop(COMPONENT_END_SECONDS) for program in programs)
        )
        for task in followers:
            task.cancel()
        await api.stop(COMPONENT_END_SECONDS)
        await asyncio.gather(*keepers)


def how_pods_run(machine: Machine) -> str:
    """Return what a person should know about Pods here."""
    where = "in PID namespaces of their own" if machine.isolation else "without PID namespaces"
    return f"Pods run as processes of this user, {where}; images and security contexts are ignored"


async def _watch_data(ground: Ground, stop: asyncio.Event) -> None:
    """End when the data directory was removed: nothing done here could be found again."""
    while still_owned(ground.layout, ground.lock):
        await asyncio.sleep(DATA_CHECK_SECONDS)
    log.error("%s is gone, and with it everything this was for", ground.layout.data)
    stop.set()
