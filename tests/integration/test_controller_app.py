"""The controller as a process: pools follow their Runtime and say how they are; ended Runs go in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import DEPLOYMENT, RUN, RUNTIME, SERVICE_ACCOUNT
from kruntimes_core.kube.status import micro
from tests.integration.apiserver_process import ServerProcess, serving
from tests.integration.control_plane import (
    Eyes,
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
NAME = "kruntimes-bash"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def _controller(server: ServerProcess) -> Iterator[None]:
    with running("kruntimes_core.apps.controller", server.kubeconfig):
        yield


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with client_of(server.kubeconfig) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> str:
    return await new_namespace(client)


@pytest.fixture
async def runtimes(client: Client, namespace: str) -> AsyncIterator[Eyes]:
    async with eyes_on(client, RUNTIME, namespace) as eyes:
        yield eyes


@pytest.fixture
async def deployments(client: Client, namespace: str) -> AsyncIterator[Eyes]:
    async with eyes_on(client, DEPLOYMENT, namespace) as eyes:
        yield eyes


def ready(runtimes: Eyes) -> dict[str, Any]:
    conditions = runtimes.status("bash").get("conditions") or [{}]
    return dict(conditions[0])


async def test_a_runtime_gets_a_deployment_and_an_identity(
    client: Client, namespace: str, deployments: Eyes, runtimes: Eyes
) -> None:
    runtime = await make_runtime(client, namespace, replicas=2)
    await deployments.until(lambda: NAME in deployments.items)
    deployment = deployments.items[NAME]
    assert deployment["spec"]["replicas"] == 2
    assert deployment["metadata"]["ownerReferences"][0]["uid"] == runtime["metadata"]["uid"]
    account = msgspec.json.decode(await client.get(SERVICE_ACCOUNT.named(namespace, NAME)))
    assert account["metadata"]["ownerReferences"][0]["uid"] == runtime["metadata"]["uid"]
    await runtimes.until(lambda: ready(runtimes).get("reason") == "NoReadyMember")
    assert ready(runtimes)["message"] == "0 of 2 members ready"


async def test_it_follows_its_runtime_and_is_written_only_when_it_differs(
    client: Client, namespace: str, deployments: Eyes, runtimes: Eyes
) -> None:
    await make_runtime(client, namespace)
    await deployments.until(lambda: NAME in deployments.items)
    ref = RUNTIME.named(namespace, "bash")
    await client.patch(ref, {"metadata": {"labels": {"any": "thing"}}})
    await client.patch(ref, {"spec": {"replicas": 5}})
    await deployments.until(lambda: deployments.items[NAME]["spec"]["replicas"] == 5)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "runtime", "image": "server:2"}]}}}}
    await client.patch(ref, image)
    await deployments.until(
        lambda: (
            deployments.items[NAME]["spec"]["template"]["spec"]["containers"][0].get("image") == "server:2"
        )
    )
    assert deployments.items[NAME]["metadata"]["generation"] == 3


async def test_a_deployment_that_was_deleted_comes_back(
    client: Client, namespace: str, deployments: Eyes
) -> None:
    await make_runtime(client, namespace)
    await deployments.until(lambda: NAME in deployments.items)
    first = deployments.items[NAME]["metadata"]["uid"]
    await client.delete(DEPLOYMENT.named(namespace, NAME))
    await deployments.until(
        lambda: deployments.items.get(NAME, {}).get("metadata", {}).get("uid", first) != first
    )


async def test_a_template_that_asks_too_much_gets_no_deployment(
    client: Client, namespace: str, deployments: Eyes, runtimes: Eyes
) -> None:
    containers = [
        {"name": "runtime", "image": "i"},
        {"name": "x", "image": "i", "securityContext": {"privileged": True}},
    ]
    await make_runtime(client, namespace, template={"spec": {"containers": containers, "hostPID": True}})
    await runtimes.until(lambda: ready(runtimes).get("reason") == "TemplateRefused")
    assert ready(runtimes)["status"] == "False"
    assert "spec.template.spec.hostPID: " in ready(runtimes)["message"]
    assert "spec.template.spec.containers[1].securityContext.privileged: " in ready(runtimes)["message"]
    assert deployments.items == {}
    good = {"spec": {"template": {"spec": {"containers": containers[:1], "hostPID": None}}}}
    await client.patch(RUNTIME.named(namespace, "bash"), good)
    await deployments.until(lambda: NAME in deployments.items)


async def test_members_that_take_runs_make_it_ready(client: Client, namespace: str, runtimes: Eyes) -> None:
    await make_runtime(client, namespace, replicas=2)
    await announce(client, member(namespace, "a", runs=4))
    await runtimes.until(lambda: ready(runtimes).get("reason") == "MembersNotReady")
    await announce(client, member(namespace, "b", runs=4))
    await runtimes.until(lambda: ready(runtimes).get("status") == "True")
    status = runtimes.status("bash")
    assert (status["readyReplicas"], status["capacity"]) == (2, {"runs": "8"})


async def test_a_member_that_falls_silent_is_no_longer_counted(
    client: Client, namespace: str, runtimes: Eyes
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "a", lease_seconds=1))
    await runtimes.until(lambda: ready(runtimes).get("status") == "True")
    await runtimes.until(lambda: ready(runtimes).get("reason") == "NoReadyMember")
    assert runtimes.status("bash").get("capacity", {}) == {}


async def test_someone_elses_deployment_is_left_alone(
    client: Client, namespace: str, deployments: Eyes, runtimes: Eyes
) -> None:
    selector = {"matchLabels": {"app": "x"}}
    pod = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}}
    await client.create(DEPLOYMENT, namespace, body | {"spec": {"selector": selector, "template": pod}})
    await make_runtime(client, namespace)
    await runtimes.until(lambda: ready(runtimes).get("reason") == "NameTaken")
    assert deployments.items[NAME]["spec"]["selector"] == selector


async def test_ended_runs_go_when_their_time_is_over(client: Client, namespace: str) -> None:
    ended = {"status": {"phase": "Succeeded", "completionTime": micro(datetime.now(UTC))}}
    async with eyes_on(client, RUN, namespace) as runs:
        await make_run(client, namespace, "soon", ttlSecondsAfterFinished=1)
        await make_run(client, namespace, "at-once", ttlSecondsAfterFinished=0)
        await make_run(client, namespace, "later")
        await make_run(client, namespace, "waiting", ttlSecondsAfterFinished=0)
        for name in ("soon", "at-once", "later"):
            await client.patch_status(RUN.named(namespace, name), ended)
        await runs.until(lambda: set(runs.items) == {"later", "waiting"})
        # The time can still be cut short.
        await client.patch(RUN.named(namespace, "later"), {"spec": {"ttlSecondsAfterFinished": 0}})
        await runs.until(lambda: set(runs.items) == {"waiting"})
