"""What only a real API server can show: etcd forgets, and ten thousand Runs are there."""

import asyncio
import json
from collections.abc import Iterator
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest

from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.kinds import NAMESPACE, RUN
from kruntimes_core.kube.watch import PAGE
from tests.integration.apiserver_process import RUNS, ServerProcess, connected, make_config_map, serving_alone
from tests.integration.apiserver_process import make_run as run_body
from tests.integration.control_plane import (
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
MANY = 10_000
WRITERS = 48


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with serving_alone() as server:
        yield server


def forget_before(server: ServerProcess, version: str) -> None:
    """Compact etcd, as a cluster does every few minutes."""
    address = (server.data / "cluster" / "etcd.url").read_text()
    body = json.dumps({"revision": version, "physical": True}).encode()
    with urlopen(HttpRequest(f"{address}/v3/kv/compaction", body), timeout=30) as answer:
        assert answer.status == 200


async def test_what_etcd_has_forgotten_is_said_to_be_gone(server: ServerProcess) -> None:
    async with connected(server) as api:
        old = (await api.create(RUNS, run_body("a"))).version
        await api.create(RUNS, run_body("b"))
        page = (await api.get(f"{RUNS}?limit=1")).body["metadata"]
        await api.delete(f"{RUNS}/b")
        # The server keeps its own copy of the last versions: what it has not, etcd is asked for.
        last = (await api.create(RUNS, run_body("c"))).version
    forget_before(server, last)
    server.kill()
    server.start()
    async with connected(server) as api:
        expired = await api.get(f"{RUNS}?limit=1&continue={page['continue']}")
        assert (expired.status, expired.body["reason"]) == (410, "Expired")
        async with api.watch(f"{RUNS}?resourceVersion={old}") as stream:
            kind, status = await stream.next()
            assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_a_reflector_goes_on_over_what_etcd_has_forgotten(server: ServerProcess) -> None:
    configs = "/api/v1/namespaces/default/configmaps"
    async with client_of(server.kubeconfig) as client:
        namespace = await new_namespace(client)
        async with eyes_on(client, RUN, namespace) as runs:
            await make_run(client, namespace, "before")
            await runs.until(lambda: "before" in runs.items)
            async with connected(server) as api:
                last = (await api.create(configs, make_config_map("later"))).version
            forget_before(server, last)
            server.kill()
            server.start()
            await client.get(NAMESPACE.named(None, namespace))  # a write must not meet a dead connection
            await make_run(client, namespace, "after")
            await runs.until(lambda: set(runs.items) == {"before", "after"})


class Counting(Client):
    """A client that counts the pages it has read."""

    pages = 0

    async def send(self, request: Request, timeout: float | None = None) -> bytes:
        self.pages += "limit" in request.query
        return await super().send(request, timeout)


async def create_many(client: Client, namespace: str) -> None:
    """Create them all, as many at once as the server likes."""
    names = iter(range(MANY))

    async def write() -> None:
        for number in names:
            await make_run(client, namespace, f"r{number}", runtime="none")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def test_among_ten_thousand_runs_a_new_one_is_assigned(server: ServerProcess) -> None:
    async with client_of(server.kubeconfig) as client, Counting(client.access, "counting") as counting:
        namespace = await new_namespace(client)
        await create_many(client, namespace)
        async with eyes_on(counting, RUN, namespace) as runs:
            await runs.until(lambda: len(runs.items) == MANY)
            assert counting.pages == MANY // PAGE
        other = await new_namespace(client)
        await make_runtime(client, other)
        await announce(client, member(other, "a"))
        with running("kruntimes_core.apps.scheduler", server.kubeconfig):
            async with eyes_on(client, RUN, other) as runs:
                await make_run(client, other, "urgent")
                await runs.until(lambda: runs.status("urgent").get("phase") == "Scheduled")
                assert runs.status("urgent")["assignedPod"] == "a"
