"""What the API says of members of a former life is taken back, also after a start that failed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kruntimes_core.dev.former_life import let_none_be_ready
from kruntimes_core.dev.podstatus import is_ready
from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.errors import Unreachable
from kruntimes_core.kube.kinds import LEASE, POD, RUNTIME, Kind
from kruntimes_core.kube.writes import write_lease
from kruntimes_core.model.runtime import Member
from tests.builders import make_member
from tests.integration.apiserver_process import ServerProcess, serving
from tests.integration.control_plane import client_of, new_namespace

pytestmark = pytest.mark.integration
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SINCE = "2029-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as server:
        yield server


class Dying(Client):
    """A client whose process is killed after some writes."""

    writes_left = 0

    async def send(self, request: Request, timeout: float | None = None) -> bytes:
        if request.method != "GET":
            if not self.writes_left:
                raise Unreachable("killed")
            self.writes_left -= 1
        return await super().send(request, timeout)


async def make_ready_member(client: Client, namespace: str) -> Member:
    """A Runtime of one member, which counts as ready wherever one can look."""
    template = {"spec": {"containers": [{"name": "runtime", "image": "i"}]}}
    meta = {"name": "bash", "namespace": namespace}
    await client.create(RUNTIME, namespace, {"metadata": meta, "spec": {"template": template}} | api(RUNTIME))
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": SINCE}
    status = {"replicas": 1, "readyReplicas": 1, "capacity": {"runs": "1"}, "conditions": [condition]}
    await client.patch_status(RUNTIME.named(namespace, "bash"), {"status": status})
    pod = {"metadata": {"name": "a", "namespace": namespace}, "spec": template["spec"]} | api(POD)
    made = msgspec.json.decode(await client.create(POD, namespace, pod))
    container = {"name": "runtime", "image": "i", "imageID": "", "ready": True, "started": True}
    container |= {"restartCount": 2, "state": {"running": {"startedAt": SINCE}}}
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    status = {"phase": "Running", "containerStatuses": [container]}
    status["conditions"] = [{"type": kind, "status": "True", "lastTransitionTime": SINCE} for kind in kinds]
    await client.patch_status(POD.named(namespace, "a"), {"status": status})
    member = make_member("a", namespace=namespace, pod_uid=made["metadata"]["uid"])
    await write_lease(client, member, NOW)
    return member


def api(kind: Kind) -> dict[str, str]:
    return {"apiVersion": kind.api_version, "kind": kind.name}


async def items(client: Client, kind: Kind, namespace: str) -> list[dict[str, Any]]:
    return list(msgspec.json.decode(await client.list(kind, namespace))["items"])


async def whoever_is_ready(client: Client, namespace: str) -> list[str]:
    """Everything that still says that a member lives."""
    leases = await items(client, LEASE, namespace)
    pods = [pod for pod in await items(client, POD, namespace) if is_ready(pod)]
    runtimes = [one for one in await items(client, RUNTIME, namespace) if one["status"]["readyReplicas"]]
    ready = {"Lease": leases, "Pod": pods, "Runtime": runtimes}
    return [f"{kind} {item['metadata']['name']}" for kind, found in ready.items() for item in found]


async def test_no_member_of_a_former_life_counts_as_ready(server: ServerProcess) -> None:
    async with client_of(server.kubeconfig) as client:
        namespace = await new_namespace(client)
        await make_ready_member(client, namespace)
        assert await whoever_is_ready(client, namespace) == ["Lease a", "Pod a", "Runtime bash"]
        await let_none_be_ready(client, NOW)
        assert await whoever_is_ready(client, namespace) == []
        [pod] = await items(client, POD, namespace)
        [container] = pod["status"]["containerStatuses"]
        assert container["state"]["terminated"]["signal"] == 9
        assert (container["restartCount"], container["ready"]) == (2, False)
        [runtime] = await items(client, RUNTIME, namespace)
        [condition] = runtime["status"]["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "NoReadyMember")
        assert runtime["status"]["replicas"] == 1, "its Pod is still there"
        assert runtime["status"].get("capacity", {}) == {}


@pytest.mark.parametrize("writes", [0, 1, 2])
async def test_a_start_that_was_killed_between_two_writes_is_made_up_for(
    server: ServerProcess, writes: int
) -> None:
    async with client_of(server.kubeconfig) as client:
        namespace = await new_namespace(client)
        await make_ready_member(client, namespace)
        async with Dying(client.access, "kruntimes-dev") as dying:
            dying.writes_left = writes
            with pytest.raises(Unreachable):
                await let_none_be_ready(dying, NOW)
        assert len(await whoever_is_ready(client, namespace)) == 3 - writes
        await let_none_be_ready(client, NOW)
        assert await whoever_is_ready(client, namespace) == []


async def test_what_says_the_truth_already_is_not_written(server: ServerProcess) -> None:
    async with client_of(server.kubeconfig) as client:
        await make_ready_member(client, await new_namespace(client))
        await let_none_be_ready(client, NOW)
        async with Dying(client.access, "kruntimes-dev") as dying:
            await let_none_be_ready(dying, NOW)
