"""The scheduler as a process: it assigns, says why it does not, and loses nothing however it ends."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import NAMESPACE, RUN
from tests.integration.apiserver_process import ServerProcess, serving, serving_alone
from tests.integration.control_plane import (
    Eyes,
    Program,
    announce,
    client_of,
    eyes_on,
    make_run,
    make_runtime,
    member,
    new_namespace,
    running,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with client_of(server.kubeconfig) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> str:
    return await new_namespace(client)


@pytest.fixture
async def runs(client: Client, namespace: str) -> AsyncIterator[Eyes]:
    async with eyes_on(client, RUN, namespace) as eyes:
        yield eyes


@pytest.fixture
def scheduler(server: ServerProcess) -> Iterator[Program]:
    with running("kruntimes_core.apps.scheduler", server.kubeconfig) as program:
        yield program


async def test_a_run_goes_to_a_member_with_room(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "a"))
    await make_run(client, namespace, "r")
    await runs.until(lambda: runs.status("r").get("phase") == "Scheduled")
    status = runs.status("r")
    assert (status["attempt"], status["assignedPod"]) == (1, "a")
    assert (status["assignedPodUID"], status["assignedInstance"]) == ("uid-a", "instance-a")
    assert [seen.get("phase") for seen in runs.history["r"]] == ["Pending", "Scheduled"]


async def test_a_run_that_cannot_go_says_why(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "a", runs=1))
    await make_run(client, namespace, "nowhere", runtime="other")
    await make_run(client, namespace, "huge", resources={"requests": {"runs": 9}})
    await make_run(client, namespace, "first")
    await runs.until(lambda: runs.status("first").get("phase") == "Scheduled")
    await make_run(client, namespace, "second")
    await make_runtime(client, namespace, "empty")
    await make_run(client, namespace, "alone", runtime="empty")
    want = {"nowhere": "NoSuchRuntime", "huge": "NeverFits", "second": "NoRoom", "alone": "NoReadyMember"}
    await runs.until(lambda: {name: runs.status(name).get("reason") for name in want} == want)
    assert all(runs.status(name)["phase"] == "Pending" and runs.status(name)["message"] for name in want)


async def test_a_cancelled_run_that_waits_is_ended(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_run(client, namespace, "r")
    await client.patch(RUN.named(namespace, "r"), {"spec": {"cancelRequested": True}})
    await runs.until(lambda: runs.status("r").get("phase") == "Cancelled")
    assert runs.status("r")["reason"] == "Cancelled"
    assert runs.status("r")["completionTime"]


async def test_room_that_comes_back_is_used(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "a", runs=2))
    for number in range(6):
        await make_run(client, namespace, f"r{number}")
    for ended in range(6):
        await runs.until(lambda: len(scheduled(runs)) == min(2, 6 - ended))  # noqa: B023
        name = scheduled(runs)[0]
        await client.patch_status(RUN.named(namespace, name), {"status": {"phase": "Succeeded"}})
        await runs.until(lambda: runs.status(name)["phase"] == "Succeeded")  # noqa: B023
    await runs.until(lambda: all(item["status"]["phase"] == "Succeeded" for item in runs.items.values()))


def scheduled(runs: Eyes) -> list[str]:
    return [name for name, item in runs.items.items() if item["status"]["phase"] == "Scheduled"]


async def test_a_lost_members_runs_go_to_another(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "dying", lease_seconds=1))
    await make_run(client, namespace, "r")
    await runs.until(lambda: runs.status("r").get("phase") == "Scheduled")
    await announce(client, member(namespace, "living"))
    await runs.until(lambda: runs.status("r").get("assignedPod") == "living")
    assert (runs.status("r")["attempt"], runs.status("r")["losses"]) == (2, 1)


async def test_killed_amid_its_work_it_goes_on_where_it_was(
    client: Client, namespace: str, runs: Eyes, scheduler: Program
) -> None:
    await make_runtime(client, namespace)
    for name in ("a", "b"):
        await announce(client, member(namespace, name, runs=30))
    async with asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(make_run(client, namespace, f"r{number}"))
        await runs.until(lambda: len(scheduled(runs)) >= 5)
        scheduler.end(signal.SIGKILL)
    scheduler.start()
    await runs.until(lambda: len(scheduled(runs)) == 60)
    assert {item["status"]["attempt"] for item in runs.items.values()} == {1}
    assert Counter(item["status"]["assignedPod"] for item in runs.items.values()) == {"a": 30, "b": 30}
    assert all(
        sum(seen.get("phase") == "Scheduled" for seen in history) == 1 for history in runs.history.values()
    )


async def test_told_to_stop_it_ends_at_once(server: ServerProcess, namespace: str, client: Client) -> None:
    with running("kruntimes_core.apps.scheduler", server.kubeconfig) as program:
        async with eyes_on(client, RUN, namespace) as runs:
            await make_run(client, namespace, "r", runtime="none")
            await runs.until(lambda: bool(runs.status("r").get("reason")))
        assert program.end(signal.SIGTERM) == 0


async def test_an_api_server_that_dies_and_comes_back_changes_nothing() -> None:
    with serving_alone() as server:
        async with client_of(server.kubeconfig) as client:
            namespace = await new_namespace(client)
            await make_runtime(client, namespace)
            await announce(client, member(namespace, "a"))
            with running("kruntimes_core.apps.scheduler", server.kubeconfig):
                async with eyes_on(client, RUN, namespace) as runs:
                    await make_run(client, namespace, "before")
                    await runs.until(lambda: runs.status("before").get("phase") == "Scheduled")
                    server.kill()
                    server.start()
                    await client.get(NAMESPACE.named(None, namespace))
                    await make_run(client, namespace, "after")
                    await runs.until(lambda: runs.status("after").get("phase") == "Scheduled")
                    assert runs.status("before")["attempt"] == 1
