"""What the API still says of processes that ended with an earlier dev process; it ends no process itself."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.dev.api_start import StartError
from kruntimes_core.dev.objects import Whole
from kruntimes_core.dev.podstatus import fallen_status
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import RUNTIME_LABEL
from kruntimes_core.kube.errors import ApiError, Conflict, NotFound
from kruntimes_core.kube.kinds import Kind
from kruntimes_core.pools.condition import judge_members, status_of
from kruntimes_core.pools.pool import read_pool

Revise = Callable[[Whole, datetime], dict[str, Any] | None]


async def clear_former_life(access: ClusterAccess, now: datetime) -> None:
    """Take it all back, before anything starts that believes in the API."""
    try:
        async with Client(access, "kruntimes-dev") as client:
            await let_none_be_ready(client, now)
    except ApiError as error:
        raise StartError(f"cannot take back what the API says of an earlier start: {error}") from error


async def let_none_be_ready(client: Client, now: datetime) -> None:
    """Delete the members' leases and end the readiness of Pods and Runtimes.

    It looks at every object, whatever became of the others, so that a start that ended half-way is made up
    for by the next.
    """
    await _delete_leases(client)
    await _revise(client, kinds.POD, now, _fallen_pod)
    await _revise(client, kinds.RUNTIME, now, _empty_pool)


async def _delete_leases(client: Client) -> None:
    """Every member lives in a Pod of this machine, and makes its lease anew."""
    for lease in _items(await client.list(kinds.LEASE, labelSelector=RUNTIME_LABEL)):
        with suppress(NotFound, Conflict):
            await client.delete(kinds.LEASE.named(lease.namespace, lease.name), uid=lease.uid)


async def _revise(client: Client, kind: Kind, now: datetime, revise: Revise) -> None:
    for found in _items(await client.list(kind)):
        status = revise(found, now)
        if status is not None:
            body = {"metadata": {"uid": found.uid}, "status": status}
            with suppress(NotFound, Conflict):  # a person deleted it at this moment
                await client.patch_status(kind.named(found.namespace, found.name), body)


def _items(listed: bytes) -> list[Whole]:
    return [Whole(body) for body in msgspec.json.decode(listed)["items"]]


def _fallen_pod(pod: Whole, now: datetime) -> dict[str, Any] | None:
    return fallen_status(pod.body, now)


def _empty_pool(runtime: Whole, now: datetime) -> dict[str, Any] | None:
    """What the controller would write of a pool whose Pods are there and none of whose members is."""
    pool = read_pool(runtime.body)
    if not pool.status.get("readyReplicas"):
        return None
    pods = {"status": {"replicas": pool.status.get("replicas")}}
    return status_of(pool, judge_members(pool, None, ()), pods, (), now)
