"""What is done to the system in each scenario; judging it is not done here."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from tests.chaos import processes
from tests.chaos.stage import AT_LEAST, Stage

# Runs are Scheduled in bursts, and the last of them stop waiting while others run: in this order all come up.
PHASES = ("Scheduled", "Running", "Pending")
RUN_SECONDS = 2.0
API_PAUSE_SECONDS = 60.0
PAST_LEASE_SECONDS = 40.0

Scenario = Callable[[Stage, int], Awaitable[None]]


def killing(role: str) -> Scenario:
    """Kill processes of one role, once while enough Runs are in each phase."""

    async def scenario(stage: Stage, runs: int) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.submit(runs, RUN_SECONDS))
            for phase in PHASES:
                await stage.kill(phase, role)
        await stage.all_end()

    return scenario


async def kill_member(stage: Stage, runs: int) -> None:
    """Kill the daemon and the server of one member together, once in each phase."""
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.submit(runs, RUN_SECONDS))
        for phase in PHASES:
            await stage.reach(phase)
            daemon = await stage.victim("daemon")
            both = [found.pid for found in processes.find(stage.root()) if found.member == daemon.member]
            stage.hits[phase] += bool(processes.send(both, signal.SIGKILL))
    await stage.all_end()


async def kill_everything(stage: Stage, runs: int) -> None:
    """Kill every process of the control plane at once, then start it again on the same data."""
    await stage.submit(runs, RUN_SECONDS)
    await stage.reach("Running")
    root = stage.root()
    for phase in PHASES:
        stage.hits[phase] += stage.observer.phases()[phase] >= AT_LEAST
    stage.hits = +stage.hits
    processes.send([root, *(found.pid for found in processes.find(root))], signal.SIGKILL)
    await stage.up()
    await stage.all_end()


async def stop_daemon(stage: Stage, runs: int) -> None:
    """Stop a daemon past its lease until its Runs went elsewhere, then let it go on."""
    await stage.submit(runs, RUN_SECONDS)
    await stage.reach("Running")
    daemon = await stage.victim("daemon")
    before = len(stage.observer.ends)
    stage.hits["Running"] += processes.send([daemon.pid], signal.SIGSTOP)
    try:
        # Its Runs end elsewhere while it is stopped: nothing is left to wait for but its own awakening.
        await stage.all_end()
    finally:
        processes.send([daemon.pid], signal.SIGCONT)
    if len(stage.observer.ends) == before:
        stage.hits.clear()
    await asyncio.sleep(2 * RUN_SECONDS)  # time for a late report to do its harm


async def pause_api(stage: Stage, runs: int) -> None:
    """Stop the API server for a minute."""
    await stage.submit(runs, RUN_SECONDS)
    await stage.reach("Running")
    server = await stage.victim("apiserver")
    stage.hits["Running"] += processes.send([server.pid], signal.SIGSTOP)
    try:
        await asyncio.sleep(API_PAUSE_SECONDS)
    finally:
        processes.send([server.pid], signal.SIGCONT)
    await stage.all_end()


async def delete_without_daemon(stage: Stage, runs: int) -> None:
    """Delete running Runs while their daemons are down: their code ends all the same."""
    await stage.submit(runs, RUN_SECONDS)
    await stage.reach("Running")
    victims = stage.observer.in_phase("Running")[:20]
    for daemon in processes.with_role(stage.root(), "daemon"):
        stage.hits["Running"] += processes.send([daemon.pid], signal.SIGKILL)
    for seen in victims:
        await stage.delete(seen)
    await stage.all_end()


SCENARIOS: dict[str, Scenario] = {
    "kill the daemon": killing("daemon"),
    "kill the runtime server": killing("server"),
    "kill the scheduler": killing("scheduler"),
    "kill the controller": killing("controller"),
    "kill the API server": killing("apiserver"),
    "kill a whole member": kill_member,
    "kill everything": kill_everything,
    "stop a daemon past its lease": stop_daemon,
    "pause the API server": pause_api,
    "delete while the daemon is down": delete_without_daemon,
}
SAMPLE = ("kill the runtime server", "kill the API server", "kill a whole member", "kill everything")
