"""The order in which the containers of one Pod start and stop; knows nothing of the API."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kruntimes_core.dev.containers import ContainerLife, Place
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.podspec import Container, Object, PodSpec, Role
from kruntimes_core.dev.podstatus import ContainerState, Ended, pod_status
from kruntimes_core.dev.processes import Spawner

POD_MARK = "KRUNTIMES_DEV_POD"
LEAST_STOP_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """What this machine runs Pods with."""

    layout: Layout
    spawner: Spawner
    isolation: tuple[str, ...]
    now: Callable[[], datetime]


class PodLife:
    """One Pod from its first container's start to its last one's end."""

    def __init__(self, uid: str, spec: PodSpec, machine: Machine, changed: Callable[[], None]) -> None:
        self._spec, self._changed = spec, changed
        self._lives = [self._life(uid, container, machine) for container in spec.containers]
        self._begun: list[ContainerLife] = []
        self._stopping = False

    async def run(self) -> None:
        """Start everything in order; return when all of it has ended for good."""
        async with asyncio.TaskGroup() as group:
            for life in self._of(Role.INIT, Role.SIDECAR):
                if not await self._introduce(life, group):
                    break
            else:
                mains = self._of(Role.MAIN)
                for life in mains:
                    self._begin(life, group)
                for life in mains:
                    await life.done.wait()
            if not self._stopping:
                await self.stop(self._spec.grace)

    async def stop(self, grace: float) -> None:
        """End the containers: hooks at once, the main ones, then the sidecars from the last to the first."""
        self._stopping = True
        clock = asyncio.get_running_loop().time
        end = clock() + grace
        # A hook that used all the time must not turn the polite stop into a kill.
        least = min(grace, LEAST_STOP_SECONDS)
        async with asyncio.TaskGroup() as group:
            hooks = {life: group.create_task(life.pre_stop(grace)) for life in self._begun}

            async def finish(life: ContainerLife) -> None:
                await hooks[life]
                await life.stop(max(least, end - clock()))

            first = [life for life in self._begun if life.container.role is not Role.SIDECAR]
            for task in [group.create_task(finish(life)) for life in first]:
                await task
            for life in reversed(self._begun):
                if life.container.role is Role.SIDECAR:
                    await finish(life)

    def kill(self) -> None:
        """End all containers now."""
        self._stopping = True
        for life in self._begun:
            life.kill()

    def status(self, pod: Object, now: datetime) -> dict[str, Any]:
        """Return what the Pod's status says now."""
        states = {life.container.name: life.state for life in self._lives}
        return pod_status(pod, self._spec.containers, states, now)

    def restore(self, restarts: dict[str, int], now: datetime) -> None:
        """Go on counting where a former kubelet stopped: its containers ended with it."""
        for life in self._lives:
            count = restarts.get(life.container.name)
            if count is not None:
                life.state = ContainerState(Ended(-9, now, now), None, count)

    async def _introduce(self, life: ContainerLife, group: asyncio.TaskGroup) -> bool:
        """Start one init container; True when the next may follow."""
        if self._stopping:
            return False
        self._begin(life, group)
        if life.container.role is Role.SIDECAR:
            await life.wait_started()
            return not self._stopping
        await life.done.wait()
        state = life.state.now
        return not self._stopping and isinstance(state, Ended) and state.code == 0

    def _begin(self, life: ContainerLife, group: asyncio.TaskGroup) -> None:
        if not self._stopping:
            self._begun.append(life)
            group.create_task(life.run())

    def _of(self, *roles: Role) -> list[ContainerLife]:
        return [life for life in self._lives if life.container.role in roles]

    def _life(self, uid: str, container: Container, machine: Machine) -> ContainerLife:
        place = Place(
            work_dir=machine.layout.pod(uid),
            log=machine.layout.container_log(uid, container.name),
            isolation=machine.isolation,
            mark={POD_MARK: str(machine.layout.pod(uid))},
            now=machine.now,
        )
        return ContainerLife(container, place, machine.spawner, self._changed)


def restart_counts(pod: Object) -> dict[str, int]:
    """Return how often each container of a Pod had been started again when its status was last written."""
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    begun = [entry for entry in entries if "waiting" not in (entry.get("state") or {})]
    return {entry["name"]: int(entry.get("restartCount") or 0) for entry in begun}
