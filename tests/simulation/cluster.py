"""One model cluster: API, scheduler, members, and the hand that keeps their number; it chooses no fault."""

from __future__ import annotations

from kruntimes_core.daemon.machine import Seat
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run
from tests.builders import make_runtime
from tests.simulation.api import MEMBERS, RUNS, RUNTIMES, Api
from tests.simulation.checker import Checker
from tests.simulation.clockwork import Loop
from tests.simulation.daemon import DaemonProcess
from tests.simulation.scheduler import SchedulerProcess
from tests.simulation.server import Program, ServerProcess


class Pod:
    """One member: a daemon and a server that are started again when they die, until the Pod is gone."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.gone = False
        self.busy_until = 0.0
        loop = cluster.loop
        self.server = ServerProcess(loop, name, cluster.capacity, cluster.checker)
        self.server.programs = cluster.programs
        self.server.shy = loop.rng.random() < 0.2
        self.daemon = DaemonProcess(
            loop, cluster.api, self.server, Seat("default", name, f"uid-{name}", "bash")
        )
        self.daemon.begin()
        loop.after(loop.rng.uniform(0.0, 0.5), self.restart)

    def restart(self) -> None:
        """Start what is not there."""
        if not self.gone:
            self.daemon.begin()
            self.server.begin()

    def kill(self) -> None:
        """Be gone with all that runs here; the lease goes a little later, as garbage."""
        self.gone = True
        self.daemon.kill()
        self.server.kill()
        self.server.end_all()
        cluster = self.cluster

        def collect() -> None:
            if self.name in cluster.api.store[MEMBERS]:
                cluster.api.commit(MEMBERS, self.name, None)

        cluster.loop.after(cluster.loop.rng.uniform(0.5, 30.0), collect)


class Cluster:
    """Everything of one history."""

    def __init__(self, loop: Loop, members: int, capacity: Amounts) -> None:
        self.loop = loop
        self.capacity = capacity
        self.api = Api(loop)
        self.checker = Checker(loop, self.api)
        self.programs: dict[str, Program] = {}
        self.pods: list[Pod] = []
        self.scheduler = SchedulerProcess(loop, self.api)
        self.scheduler.decided = self.checker.decided
        self.api.commit(RUNTIMES, "bash", make_runtime())
        self.scheduler.begin()
        for _ in range(members):
            self.add_pod()

    def add_pod(self) -> None:
        self.pods.append(Pod(self, f"m{len(self.pods)}"))

    @property
    def living(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.gone]

    def create(self, run: Run, program: Program) -> None:
        self.programs[run.uid] = program
        self.api.commit(RUNS, run.uid, run)

    def heal(self) -> None:
        """End every fault."""
        api = self.api
        api.start()
        api.resume()
        api.cut.clear()
        api.flaky = 0.0
        self.scheduler.resume()
        self.scheduler.begin()
        if "bash" not in api.store[RUNTIMES]:
            api.commit(RUNTIMES, "bash", make_runtime())
        for pod in self.living:
            pod.daemon.resume()
            if pod.server.paused:
                pod.server.thaw()
            pod.server.flaky = 0.0
            pod.restart()
        if not any(not pod.server.draining for pod in self.living):
            self.add_pod()
