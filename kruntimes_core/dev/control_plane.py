"""The dev process: starts the control plane, keeps it going, ends it in order; holds no rule of any part."""

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from kruntimes.kubeconfig import ClusterAccess, KubeconfigError, from_files

from kruntimes_core.clock import SystemClock
from kruntimes_core.dev.components import Component, Keeper
from kruntimes_core.dev.defaults import PoolSize, bash_runtime, resized
from kruntimes_core.dev.deployments import DeploymentController
from kruntimes_core.dev.garbage import GarbageCollector
from kruntimes_core.dev.isolation import find_wrapper
from kruntimes_core.dev.kubelet import Kubelet
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.leftovers import sweep_processes, sweep_sockets
from kruntimes_core.dev.objects import Whole, read_whole
from kruntimes_core.dev.ownlock import still_owned
from kruntimes_core.dev.pod_life import Machine
from kruntimes_core.dev.processes import Spawner
from kruntimes_core.dev.reports import Reports, Topic
from kruntimes_core.dev.surroundings import make_python
from kruntimes_core.dev.volumes import make_private
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.errors import AlreadyExists, ApiError
from kruntimes_core.kube.mirror import Changed
from kruntimes_core.kube.watch import Event, Reflector, Selection

PROGRAM = "kruntimes-dev"
API_START_SECONDS = 60.0
POLL_SECONDS = 0.02
DATA_CHECK_SECONDS = 5.0
# Each step of the end has its bound, and their sum is what `krt dev down` waits for.
PODS_END_SECONDS = 5.0
COMPONENT_END_SECONDS = 3.0

log = logging.getLogger(__name__)


class StartError(Exception):
    """The control plane does not start; the message says why and where to read more."""


@dataclass(frozen=True)
class Options:
    """What `krt dev up` was asked for."""

    port: int
    size: PoolSize


class ControlPlane:
    """One embedded control plane from its start to its end."""

    def __init__(self, layout: Layout, lock: IO[str], options: Options, reports: Reports) -> None:
        self._layout, self._lock, self._options, self._reports = layout, lock, options, reports
        self._spawner = Spawner(layout.records)
        self._stop = asyncio.Event()
        self._runtimes_told: dict[str, str] = {}

    async def run(self) -> None:
        """Start everything, go on until SIGTERM or SIGINT, end everything."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._prepare()
        try:
            api = self._keeper(self._api_component())
            access = await self._start_api(api)
            async with Client(access, PROGRAM) as client:
                await self._go_on(client, access, api)
        finally:
            sweep_sockets(self._layout)
        self._layout.records.unlink(missing_ok=True)

    async def _go_on(self, client: Client, access: ClusterAccess, api: Keeper) -> None:
        """Keep every part going until the end is asked for; then end them in the order of their needs."""
        machine = Machine(self._layout, self._spawner, find_wrapper(), lambda: SystemClock().now().wall)
        self._say_isolation(machine)
        kubelet = Kubelet(client, access, machine)
        programs = [self._keeper(component) for component in PROGRAMS]
        parts = (kubelet, DeploymentController(client), GarbageCollector(client))
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(keeper.run()) for keeper in (api, *programs)]
            followers = [group.create_task(part.run()) for part in parts]
            followers += [group.create_task(self._follow_runtimes(client))]
            followers += [group.create_task(self._ensure_runtime(client))]
            followers += [group.create_task(self._watch_data())]
            await self._stop.wait()
            log.info("ending")
            ends = [kubelet.stop(PODS_END_SECONDS), *(p.stop(COMPONENT_END_SECONDS) for p in programs)]
            await asyncio.gather(*ends)
            for task in followers:
                task.cancel()
            await api.stop(COMPONENT_END_SECONDS)
            await asyncio.gather(*keepers)

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
        return Component("apiserver", "kruntimes_core.dev.apiserver", args)

    async def _start_api(self, api: Keeper) -> ClusterAccess:
        """Start it and wait until it answers; a start that fails is told with where to read more."""
        where, process = self._layout.log("apiserver"), api.start()
        try:
            async with asyncio.timeout(API_START_SECONDS):
                while process.returncode is None:
                    access = await self._try_api()
                    if access is not None:
                        self._reports.say(Topic.PROGRESS, f"API server at {access.server}")
                        return access
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise StartError(
                f"the API server did not answer within {API_START_SECONDS:g} s; see {where}"
            ) from error
        raise StartError(f"the API server ended with {process.returncode}; see {where}")

    async def _try_api(self) -> ClusterAccess | None:
        if not self._layout.kubeconfig.exists():
            return None
        try:
            access = from_files([self._layout.kubeconfig])
            async with Client(access, PROGRAM, timeout=2.0) as client:
                await client.send(Request("GET", "/readyz"))
        except (ApiError, KubeconfigError):
            return None
        return access

    async def _ensure_runtime(self, client: Client) -> None:
        """See that the default Runtime exists, in the wanted size."""
        runtime = bash_runtime(self._options.size)
        metadata = runtime["metadata"]
        while True:
            try:
                await client.create(kinds.RUNTIME, metadata["namespace"], runtime)
                return
            except AlreadyExists:
                patch = resized(self._options.size)
                if patch:
                    ref = kinds.RUNTIME.named(metadata["namespace"], metadata["name"])
                    await client.patch(ref, patch)
                return
            except ApiError as error:
                log.warning("cannot create the Runtime %s yet: %s", metadata["name"], error)
                await asyncio.sleep(1.0)

    async def _watch_data(self) -> None:
        """End when the data directory was removed: nothing done here could be found again."""
        while still_owned(self._layout, self._lock):
            await asyncio.sleep(DATA_CHECK_SECONDS)
        log.error("%s is gone, and with it everything this was for", self._layout.data)
        self._stop.set()

    async def _follow_runtimes(self, client: Client) -> None:
        reflector: Reflector[Whole] = Reflector(
            client, Selection(kinds.RUNTIME), read_whole, self._take_runtimes
        )
        await reflector.run()

    def _take_runtimes(self, events: Sequence[Event[Whole]]) -> None:
        for event in events:
            if isinstance(event, Changed):
                self._tell_runtime(event.object)

    def _tell_runtime(self, runtime: Whole) -> None:
        wanted = int(runtime.body["spec"].get("replicas", 1))
        ready = int((runtime.body.get("status") or {}).get("readyReplicas") or 0)
        text = f"Runtime {runtime.name}: {ready} of {wanted} members ready"
        if self._runtimes_told.get(runtime.uid) == text:
            return
        self._runtimes_told[runtime.uid] = text
        whole = ready >= wanted and runtime.name == bash_runtime(self._options.size)["metadata"]["name"]
        self._reports.say(Topic.READY if whole else Topic.PROGRESS, text)

    def _say_isolation(self, machine: Machine) -> None:
        where = "in PID namespaces of their own" if machine.isolation else "without PID namespaces"
        text = f"Pods run as processes of this user, {where}; images and security contexts are ignored"
        self._reports.say(Topic.PROGRESS, text)


PROGRAMS = (
    Component("scheduler", "kruntimes_core.apps.scheduler"),
    Component("controller", "kruntimes_core.apps.controller"),
)


def choose_port(wanted: int, layout: Layout) -> int:
    """Return the port for the API server: the wanted one, that of the last start, or any that is free."""
    last = int(layout.port.read_text()) if layout.port.exists() else 0
    for port in [wanted] if wanted else [last, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            layout.port.write_text(str(found))
            return found
    raise StartError(f"port {wanted} is taken; choose another with --port, or leave it out")
