"""What people are told: Events of waiting Runs, lost members and pools; and silence on the ordinary way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import EVENT, LEASE, RUN, RUNTIME
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


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def _programs(server: ServerProcess) -> Iterator[None]:
    with (
        running("kruntimes_core.apps.scheduler", server.kubeconfig),
        running("kruntimes_core.apps.controller", server.kubeconfig),
    ):
        yield


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with client_of(server.kubeconfig) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> str:
    return await new_namespace(client)


@pytest.fixture
async def events(client: Client, namespace: str) -> AsyncIterator[Eyes]:
    async with eyes_on(client, EVENT, namespace) as eyes:
        yield eyes


def told(events: Eyes, kind: str, name: str) -> dict[str, dict[str, Any]]:
    """What is told of one object, by reason."""
    about = {"kind": kind, "name": name}.items()
    return {item["reason"]: item for item in events.items.values() if about <= item["involvedObject"].items()}


async def test_a_run_that_waits_leaves_an_event_and_one_that_does_not_leaves_none(
    client: Client, namespace: str, events: Eyes
) -> None:
    await make_runtime(client, namespace)
    await announce(client, member(namespace, "a"))
    await make_run(client, namespace, "quick")
    waiting = await make_run(client, namespace, "astray", runtime="nowhere")
    await events.until(lambda: "NoSuchRuntime" in told(events, "Run", "astray"))
    event = told(events, "Run", "astray")["NoSuchRuntime"]
    assert (event["type"], event["count"], event["source"]["component"]) == (
        "Warning",
        1,
        "kruntimes-scheduler",
    )
    assert event["involvedObject"]["uid"] == waiting["metadata"]["uid"]
    assert "nowhere" in event["message"]
    await client.patch_status(RUN.named(namespace, "quick"), {"status": {"phase": "Succeeded"}})
    await make_run(client, namespace, "later", runtime="nowhere")
    await events.until(lambda: bool(told(events, "Run", "later")))
    assert told(events, "Run", "quick") == {}


async def test_a_lost_member_is_told_of_its_runs_and_of_its_runtime(
    client: Client, namespace: str, events: Eyes
) -> None:
    await make_runtime(client, namespace)
    await events.until(lambda: "PoolMade" in told(events, "Runtime", "bash"))
    await announce(client, member(namespace, "a", lease_seconds=2))
    await make_run(client, namespace, "r")
    await events.until(lambda: {"MemberAppeared", "MemberLost"} <= told(events, "Runtime", "bash").keys())
    await events.until(lambda: "MemberLost" in told(events, "Run", "r"))
    assert told(events, "Run", "r")["MemberLost"]["type"] == "Warning"


async def test_a_pool_tells_of_its_changes_and_of_members_that_leave(
    client: Client, namespace: str, events: Eyes
) -> None:
    await make_runtime(client, namespace)
    await events.until(lambda: "PoolMade" in told(events, "Runtime", "bash"))
    await client.patch(RUNTIME.named(namespace, "bash"), {"spec": {"replicas": 3}})
    await events.until(lambda: "PoolScaled" in told(events, "Runtime", "bash"))
    assert told(events, "Runtime", "bash")["PoolScaled"]["message"] == "Members wanted: 3, formerly 1"
    for name in ("a", "b"):
        await announce(client, member(namespace, name))
    await events.until(lambda: told(events, "Runtime", "bash").get("MemberAppeared", {}).get("count") == 2)
    await client.delete(LEASE.named(namespace, "a"))
    await events.until(lambda: "MemberLeft" in told(events, "Runtime", "bash"))
    bad = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    await client.patch(RUNTIME.named(namespace, "bash"), bad)
    await events.until(lambda: "TemplateRefused" in told(events, "Runtime", "bash"))
    assert "hostNetwork" in told(events, "Runtime", "bash")["TemplateRefused"]["message"]
