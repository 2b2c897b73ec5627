"""Puts a daemon together, top to bottom, and takes it apart in good order; has no rule of its own."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.apps.daemon.calls import Calls
from kruntimes_core.apps.daemon.container_log import ContainerLog
from kruntimes_core.apps.daemon.driver import Carrier, Driver
from kruntimes_core.apps.daemon.lease import LeaseKeeper
from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.apps.daemon.preparation import Preparation
from kruntimes_core.apps.daemon.reports import Reports
from kruntimes_core.apps.daemon.runs import AssignedRuns
from kruntimes_core.apps.daemon.session import Session
from kruntimes_core.apps.daemon.settings import Settings
from kruntimes_core.apps.daemon.token import share_token
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.instructions import (
    Cancel,
    Clear,
    Collect,
    Fill,
    Follow,
    Forget,
    Look,
    OfRun,
    Start,
    Write,
)
from kruntimes_core.daemon.machine import Announcement, Daemon
from kruntimes_core.daemon.settings import Settings as Numbers
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.events import Recorder, Reporter
from kruntimes_core.kube.writes import DAEMON
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed
from kruntimes_core.workspaces import Workspaces

log = logging.getLogger(__name__)

# What a Pod needs of its grace once the last Run has ended: to store the result, and to stop.
SPARE: Final = 5.0
# The lease that the machine's own defaults are made for.
USUAL_LEASE: Final = 15.0


@dataclass(frozen=True)
class Parts:
    """What a daemon consists of."""

    driver: Driver
    session: Session
    runs: AssignedRuns
    lease: LeaseKeeper
    server: RuntimeClient
    outputs: Outputs
    recorder: Recorder

    def want_handshake(self) -> None:
        """Shake hands with the server anew."""
        self.session.wanted.set()

    def want_list(self) -> None:
        """List the member's Runs anew."""
        self.runs.wanted.set()

    def announce(self, announcement: Announcement) -> None:
        """See to it that the lease says so."""
        self.lease.announce(announcement)


async def serve(settings: Settings, access: ClusterAccess, stopping: asyncio.Event) -> None:
    """Serve the member until `stopping`, then drain it."""
    # Before all else: the server starts after us and needs it.
    token = share_token(settings.token_file)
    preparation = Preparation(Workspaces(settings.workspaces))
    server = RuntimeClient(settings.endpoint, token)
    try:
        async with Client(access, DAEMON) as api:
            await _serve(settings, api, server, preparation, stopping)
    finally:
        await server.close()
        preparation.close()


async def _serve(
    settings: Settings, api: Client, server: RuntimeClient, preparation: Preparation, stopping: asyncio.Event
) -> None:
    driver = Driver(Daemon(settings.seat, _numbers(settings.lease)), SystemClock())
    # Its own words go to standard error: standard output is for the output of Runs.
    outputs = Outputs(server, ContainerLog(sys.stdout.fileno()))
    session = Session(server, settings, driver, preparation, outputs)
    runs = AssignedRuns(api, settings.seat, driver)
    lease = LeaseKeeper(api, settings.seat, settings.lease, driver)
    recorder = Recorder(api, Reporter(DAEMON, settings.seat.pod), driver.clock)
    parts = Parts(driver, session, runs, lease, server, outputs, recorder)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(driver.run(parts, _carriers(api, server, preparation, parts))),
            group.create_task(session.run()),
            group.create_task(runs.run()),
            group.create_task(lease.run()),
            group.create_task(recorder.run()),
        ]
        await stopping.wait()
        drained = await _drain(parts, settings.grace)
        for task in tasks:
            task.cancel()
    if drained:
        await lease.give_up()


def _carriers(
    api: Client, server: RuntimeClient, preparation: Preparation, parts: Parts
) -> Mapping[type[OfRun], Carrier]:
    clock, outputs = parts.driver.clock, parts.outputs
    calls = Calls(server, clock, preparation, outputs, parts.session.started)
    reports = Reports(api, parts.recorder, outputs)
    return {
        Fill: preparation.fill,
        Clear: preparation.clear,
        Start: calls.start,
        Cancel: calls.cancel,
        Look: calls.look,
        Forget: calls.forget,
        Follow: outputs.follow,
        Collect: outputs.collect,
        Write: reports.write,
    }


def _numbers(lease: float) -> Numbers:
    """The machine's defaults, those that hang on the lease scaled to this one."""
    usual = Numbers()
    scale = lease / USUAL_LEASE
    return replace(
        usual,
        fence_after=usual.fence_after * scale,
        fence_grace=usual.fence_grace * scale,
        late_after=usual.late_after * scale,
    )


async def _drain(parts: Parts, grace: float) -> bool:
    """Take no more Runs and wait for those there are; return whether all have ended and were stored."""
    parts.session.news.leave()
    try:
        await parts.server.drain(max(grace - SPARE, 0.0))
    except CallFailed as failed:
        log.warning("the server was not told to drain: %s", failed)
    try:
        async with asyncio.timeout(grace):
            await parts.driver.wait_until_idle()
    except TimeoutError:
        left = parts.driver.machine.active
        log.warning("leaving with Runs unfinished; they are requeued", extra={"runs": left})
        return False
    log.info("drained")
    return True
