"""The API server as a process: what was acknowledged survives a kill, and versions go on rising."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from tests.integration.apiserver_process import (
    CONFIG_MAPS,
    RUNS,
    START_SECONDS,
    Api,
    ServerProcess,
    connected,
    make_config_map,
    make_crd,
    make_run,
    serving_alone,
)

pytestmark = pytest.mark.integration
WRITERS = 16


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with serving_alone() as process:
        yield process


class Ledger:
    """What each writer was told: the last acknowledged count of each object."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.enough = asyncio.Event()
        self.writes = 0

    async def write(self, api: Api, name: str) -> None:
        """Create one object and count it up until the server is gone."""
        try:
            while True:
                count = self.acknowledged.get(name, -1) + 1
                if count == 0:
                    answer = await api.create(CONFIG_MAPS, make_config_map(name, count="0"))
                else:
                    answer = await api.merge(f"{CONFIG_MAPS}/{name}", {"data": {"count": str(count)}})
                assert answer.status < 300
                self.acknowledged[name] = count
                self.writes += 1
                if self.writes >= 400:
                    self.enough.set()
        except aiohttp.ClientError:
            return


async def test_no_acknowledged_write_is_lost_to_a_kill(server: ServerProcess) -> None:
    ledger = Ledger()
    async with connected(server) as api, asyncio.TaskGroup() as tasks:
        for index in range(WRITERS):
            tasks.create_task(ledger.write(api, f"m{index}"))
        await ledger.enough.wait()
        server.kill()
    server.start()
    async with connected(server) as api:
        items = (await api.get(CONFIG_MAPS)).body["items"]
    found = {item["metadata"]["name"]: int(item["data"]["count"]) for item in items}
    for name, count in ledger.acknowledged.items():
        # The write that was under way may have been made, but not told.
        assert found[name] in (count, count + 1)


async def test_versions_rise_over_a_restart_and_older_ones_are_gone(server: ServerProcess) -> None:
    async with connected(server) as api:
        old = (await api.create(RUNS, make_run("a"))).version
        await api.create(RUNS, make_run("b"))
        await api.delete(f"{RUNS}/b")
        last = (await api.get(RUNS)).version
        await api.create(RUNS, make_run("c"))
    server.kill()
    server.start()
    async with connected(server) as api:
        made = await api.create(RUNS, make_run("d"))
        assert int(made.version) > int(last)
        async with api.watch(f"{RUNS}?resourceVersion={old}") as stream:
            assert stream.response.status == 200
            kind, status = await stream.next()
            assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
            assert status["message"].startswith(f"too old resource version: {old} (")
            assert await stream.rest() == []
        fresh = (await api.get(RUNS)).version
        async with api.watch(f"{RUNS}?resourceVersion={fresh}") as stream:
            await api.delete(f"{RUNS}/a")
            assert (await stream.next())[0] == "DELETED"


async def test_the_pages_of_a_list_end_with_the_server_that_began_it(server: ServerProcess) -> None:
    async with connected(server) as api:
        for name in ("a", "b"):
            await api.create(RUNS, make_run(name))
        page = (await api.get(f"{RUNS}?limit=1")).body["metadata"]
    server.kill()
    server.start()
    async with connected(server) as api:
        expired = await api.get(f"{RUNS}?continue={page['continue']}")
        assert (expired.status, expired.body["reason"]) == (410, "Expired")


async def test_the_same_identity_and_foreign_kinds_are_there_after_a_restart(server: ServerProcess) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"sail": {"type": "string"}}}},
    }
    boats = "/apis/example.org/v1/namespaces/default/boats"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    async with connected(server) as api:
        assert (await api.create(crds, make_crd(schema))).status == 201
        async with asyncio.timeout(START_SECONDS):
            while (await api.get(boats)).status != 200:
                await asyncio.sleep(0.02)
        body = {
            "apiVersion": "example.org/v1",
            "kind": "Boat",
            "metadata": {"name": "b"},
            "spec": {"sail": "red"},
        }
        assert (await api.create(boats, body)).status == 201
    before = server.kubeconfig.read_text().partition("users:")[2]
    assert server.stop() == 0
    server.start()
    assert server.kubeconfig.read_text().partition("users:")[2] == before
    assert server.kubeconfig.stat().st_mode & 0o777 == 0o600
    async with connected(server) as api:
        assert (await api.get(f"{boats}/b")).body["spec"] == {"sail": "red"}


async def test_a_stop_ends_open_watches(server: ServerProcess) -> None:
    async with connected(server) as api, api.watch(RUNS) as stream:
        await api.create(RUNS, make_run("a"))
        assert (await stream.next())[0] == "ADDED"
        code = await asyncio.to_thread(server.stop)
        assert code == 0
        assert await stream.rest() == []
