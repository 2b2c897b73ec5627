"""One Pod of the API server and its processes: started, reported, ended together; knows no other Pod."""

import asyncio
import logging
from typing import Any

from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.dev.objects import Whole
from kruntimes_core.dev.pod_life import Machine, PodLife, restart_counts
from kruntimes_core.dev.podspec import DEFAULT_GRACE_SECONDS, UnsupportedError, read_pod
from kruntimes_core.dev.podstatus import refused_status
from kruntimes_core.dev.proc import kill_and_wait, marked
from kruntimes_core.dev.surroundings import surroundings_of
from kruntimes_core.dev.volumes import make_pod_directories, remove_pod_directories
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError, Conflict, NotFound

AGAIN_SECONDS = 0.5
LEFTOVER_SECONDS = 5.0

log = logging.getLogger(__name__)


class PodKeeper:
    """Runs one Pod until it is deleted, or until the kubelet pauses it."""

    def __init__(self, pod: Whole, client: Client, access: ClusterAccess, machine: Machine) -> None:
        self._pod, self._client, self._access, self._machine = pod, client, access, machine
        self._life: PodLife | None = None
        self._status: dict[str, Any] = dict(pod.body.get("status") or {})
        self._refusal = ""
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()
        self._ended = asyncio.Event()
        self._gone = self._paused = False
        self.see(pod)

    @property
    def uid(self) -> str:
        """UID of the Pod."""
        return self._pod.uid

    def see(self, pod: Whole) -> None:
        """Take the Pod's newest state."""
        self._pod = pod
        if pod.leaving:
            self._leaving.set()
            self._changed.set()

    def see_gone(self) -> None:
        """The object is gone: nothing of it may go on."""
        self._gone = True
        self.kill()
        self._leaving.set()

    async def pause(self, bound: float) -> None:
        """End the processes within `bound` seconds and leave the object as it is."""
        self._paused = True
        if self._life is not None:
            await self._life.stop(min(bound, self._grace()))
        self._leaving.set()
        await self._ended.wait()

    def kill(self) -> None:
        """End the processes now."""
        if self._life is not None:
            self._life.kill()

    async def run(self) -> None:
        """Start the Pod, report on it, and end it when it is deleted."""
        try:
            if not self._leaving.is_set():
                self._begin()
                await self._go_on()
            self._end_leftovers()
            if not self._paused:
                self._remove_directories()
                await self._let_go()
        finally:
            self._ended.set()

    def _begin(self) -> None:
        layout = self._machine.layout
        try:
            spec = read_pod(self._pod.body, surroundings_of(layout, self.uid, self._access))
            make_pod_directories(layout, self.uid, spec.volumes)
        except UnsupportedError as error:
            self._refusal = str(error)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # The embedded API server checks little of a Pod; what is wrong with it comes out here.
            self._refusal = f"the Pod cannot be read: {type(error).__name__}: {error}"
        except OSError as error:
            self._refusal = f"the Pod's directories cannot be made: {error}"
        else:
            self._life = PodLife(self.uid, spec, self._machine, self._changed.set)
            self._life.restore(restart_counts(self._pod.body), self._machine.now())
        self._changed.set()

    async def _go_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            reports = group.create_task(self._report())
            life = group.create_task(self._life.run()) if self._life is not None else None
            await self._leaving.wait()
            if self._life is not None and not self._gone:
                await self._life.stop(self._grace())
            if life is not None:
                await life
            reports.cancel()

    async def _report(self) -> None:
        """Write the Pod's status whenever it differs from what was written."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            status = self._status_now()
            if status == self._status or self._paused:
                continue
            body = {"metadata": {"uid": self.uid}, "status": status}
            try:
                await self._client.patch_status(self._ref, body)
                self._status = status
            except (NotFound, Conflict):
                continue  # deleted, and the watch will say so
            except ApiError as error:
                log.warning("cannot report on Pod %s: %s", self._pod.name, error)
                await asyncio.sleep(AGAIN_SECONDS)
                self._changed.set()

    def _status_now(self) -> dict[str, Any]:
        # The times of conditions come from what was last written, which the watch may not have told yet.
        seen = {**self._pod.body, "status": self._status}
        if self._life is None:
            return refused_status(seen, self._refusal, self._machine.now())
        return self._life.status(seen, self._machine.now())

    async def _let_go(self) -> None:
        """Delete the object for good: its processes are gone, which is what its deletion waited for."""
        while not self._gone:
            try:
                await self._client.delete(self._ref, uid=self.uid, grace_seconds=0)
                return
            except (NotFound, Conflict):
                return
            except ApiError as error:
                log.warning("cannot finish the deletion of Pod %s: %s", self._pod.name, error)
                await asyncio.sleep(AGAIN_SECONDS)

    def _end_leftovers(self) -> None:
        """Without a PID namespace programs may have left others behind; their environment tells."""
        if not self._machine.isolation:
            kill_and_wait(marked(self._machine.layout.pod(self.uid)), LEFTOVER_SECONDS)

    def _remove_directories(self) -> None:
        try:
            remove_pod_directories(self._machine.layout, self.uid)
        except OSError as error:
            # What is left is removed at the next start; the Pod's end need not wait for that.
            log.warning("cannot remove all that Pod %s had on disk: %s", self._pod.name, error)

    def _grace(self) -> float:
        seconds = self._pod.body["metadata"].get("deletionGracePeriodSeconds")
        if seconds is None:
            seconds = self._pod.body["spec"].get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE_SECONDS if seconds is None else float(seconds)

    @property
    def _ref(self) -> kinds.Ref:
        return kinds.POD.named(self._pod.namespace, self._pod.name)
