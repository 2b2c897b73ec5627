"""Runs every Pod of the API server as local processes and reports their state; creates no Pod itself."""

import asyncio
import logging
from collections.abc import Sequence

from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.objects import Whole, read_whole
from kruntimes_core.dev.pod_keeper import PodKeeper
from kruntimes_core.dev.pod_life import Machine
from kruntimes_core.dev.volumes import remove_pod_directories
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Event, Reflector, Selection, Synced

SLACK_SECONDS = 4.0

log = logging.getLogger(__name__)


class Kubelet:
    """Follows Pods and keeps each of them; a Pod without a living object loses its processes."""

    def __init__(self, client: Client, access: ClusterAccess, machine: Machine) -> None:
        self._client, self._access, self._machine = client, access, machine
        self._keepers: dict[str, PodKeeper] = {}
        self._fresh: asyncio.Queue[PodKeeper] = asyncio.Queue()
        self._swept = False

    async def run(self) -> None:
        """Work until cancelled; call `stop` before."""
        reflector: Reflector[Whole] = Reflector(self._client, Selection(kinds.POD), read_whole, self._take)
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            while True:
                keeper = await self._fresh.get()
                group.create_task(self._keep(keeper))

    async def stop(self, bound: float) -> None:
        """End all Pods within `bound` seconds; their objects stay, and another start goes on with them."""
        keepers = list(self._keepers.values())
        try:
            async with asyncio.timeout(bound + SLACK_SECONDS), asyncio.TaskGroup() as group:
                for keeper in keepers:
                    group.create_task(keeper.pause(bound))
        except TimeoutError:
            log.warning("some Pods did not end in %g s and are killed", bound)
            for keeper in keepers:
                keeper.kill()

    def _take(self, events: Sequence[Event[Whole]]) -> None:
        for event in events:
            match event:
                case Changed(pod):
                    self._see(pod)
                case Gone(pod):
                    keeper = self._keepers.get(pod.uid)
                    if keeper is not None:
                        keeper.see_gone()
                case Synced():
                    self._sweep()

    def _see(self, pod: Whole) -> None:
        keeper = self._keepers.get(pod.uid)
        if keeper is not None:
            keeper.see(pod)
            return
        keeper = PodKeeper(pod, self._client, self._access, self._machine)
        self._keepers[pod.uid] = keeper
        self._fresh.put_nowait(keeper)

    async def _keep(self, keeper: PodKeeper) -> None:
        try:
            await keeper.run()
        finally:
            self._keepers.pop(keeper.uid, None)

    def _sweep(self) -> None:
        """Remove, once, what Pods left on disk that were deleted while nobody looked after them."""
        if not self._swept:
            self._swept = True
            for uid in unknown_pods(self._machine.layout, set(self._keepers)):
                remove_pod_directories(self._machine.layout, uid)
                log.info("removed what the former Pod %s has left", uid)


def unknown_pods(layout: Layout, known: set[str]) -> list[str]:
    """Return the UIDs of Pods that have a directory and no object."""
    if not layout.pods.is_dir():
        return []
    return sorted(entry.name for entry in layout.pods.iterdir() if entry.name not in known)
