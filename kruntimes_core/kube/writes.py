"""Every write of our programs to Runs and Leases, each with its precondition; it decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import (
    MEMBER_ANNOTATION,
    RUNTIME_LABEL,
    decode_run,
    decode_version,
    encode_announcement,
)
from kruntimes_core.kube.errors import AlreadyExists, Conflict, NotFound
from kruntimes_core.kube.kinds import LEASE, POD, RUN
from kruntimes_core.kube.status import micro, status_after
from kruntimes_core.model.events import Event
from kruntimes_core.model.identity import RunRef
from kruntimes_core.model.run import Run, TransitionRefused
from kruntimes_core.model.runtime import Member

SCHEDULER: Final = "kruntimes-scheduler"
DAEMON: Final = "kruntimes-daemon"
CONTROLLER: Final = "kruntimes-controller"

# Long enough for a slow server, short enough that a write never lands minutes after it was decided.
WRITE_TIMEOUT = 10.0


class Superseded(Exception):
    """The Run has moved on (gone, ended, another attempt or member): this write must never be made."""


async def write_event(client: Client, run: Run, event: Event, now: datetime) -> str:
    """Write an event into the status of exactly this version of the Run; give the version after it.

    Conflict and NotFound mean that nothing was written.
    """
    body = {"metadata": {"resourceVersion": run.version}, "status": status_after(run, event, now)}
    ref = RUN.named(run.namespace, run.name)
    return decode_version(await client.patch_status(ref, body, timeout=WRITE_TIMEOUT))


async def write_fenced(client: Client, run: Run, event: Event, now: datetime) -> str:
    """Write an event of the Run's current attempt, over changes of others that leave the attempt as it is.

    Raises Superseded when the attempt is no longer this one, and the errors of kube.errors otherwise.
    """
    latest = run
    while True:
        try:
            return await write_event(client, latest, event, now)
        except NotFound as error:
            raise Superseded(f"Run {run.namespace}/{run.name} was deleted") from error
        except TransitionRefused as error:
            raise Superseded(str(error)) from error
        except Conflict as conflict:
            found = await _read(client, run, conflict)
            if found.version == latest.version:
                raise  # not for its version: another try would end the same
            latest = found


async def _read(client: Client, run: Run, conflict: Conflict) -> Run:
    try:
        found = decode_run(await client.get(RUN.named(run.namespace, run.name), timeout=WRITE_TIMEOUT))
    except NotFound as error:
        raise Superseded(f"Run {run.namespace}/{run.name} was deleted") from error
    if found.key != run.key or found.assignment != run.assignment or found.is_terminal:
        raise Superseded(
            f"Run {run.namespace}/{run.name} has moved on: it is {found.phase}, attempt {found.attempt}"
        ) from conflict
    return found


async def delete_run(client: Client, run: RunRef) -> bool:
    """Delete this very Run; False when it, or its name, was gone already."""
    try:
        await client.delete(RUN.named(run.namespace, run.name), uid=run.uid)
    except (NotFound, Conflict):  # with only a UID to meet, a conflict says that the name was given again
        return False
    return True


async def renew_lease(client: Client, member: Member, now: datetime, timeout: float = WRITE_TIMEOUT) -> None:
    """Say that a member lives; NotFound when its Lease is gone and `write_lease` must make it anew."""
    await client.patch(
        LEASE.named(member.namespace, member.name),
        {"spec": {"renewTime": micro(now), "holderIdentity": member.pod_uid}},
        timeout=timeout,
    )


async def write_lease(client: Client, member: Member, now: datetime, timeout: float = WRITE_TIMEOUT) -> None:
    """Say that a member lives and what it announces; its Lease is made when there is none."""
    lease = lease_object(member, now)
    ref = LEASE.named(member.namespace, member.name)
    try:
        await client.patch(ref, lease, timeout=timeout)
    except NotFound:
        try:
            await client.create(LEASE, member.namespace, _new(lease, now))
        except AlreadyExists:  # an earlier try of ours was done though its answer was lost
            await client.patch(ref, lease, timeout=timeout)


def lease_object(member: Member, now: datetime) -> dict[str, Any]:
    """Return a member's Lease; its Pod owns it, so that it goes with the Pod."""
    owner = {"apiVersion": POD.api_version, "kind": POD.name, "name": member.name, "uid": member.pod_uid}
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": {
            "name": member.name,
            "namespace": member.namespace,
            "labels": {RUNTIME_LABEL: member.runtime},
            "annotations": {MEMBER_ANNOTATION: encode_announcement(member)},
            "ownerReferences": [owner],
        },
        "spec": {
            "holderIdentity": member.pod_uid,
            "leaseDurationSeconds": int(member.lease_seconds),
            "renewTime": micro(now),
        },
    }


def _new(lease: dict[str, Any], now: datetime) -> dict[str, Any]:
    return lease | {"spec": lease["spec"] | {"acquireTime": micro(now)}}
