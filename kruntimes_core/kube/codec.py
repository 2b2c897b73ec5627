"""Objects of the API as bytes, read into the model's nouns; it talks to nobody and changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.resources import Unreadable, parse_duration, parse_quantity
from kruntimes_core.model.run import Phase, RetryPolicy, Run
from kruntimes_core.model.runtime import AcceptState, Member, Runtime

GROUP = "kruntimes.io"
RUNTIME_LABEL = f"{GROUP}/runtime"
MEMBER_ANNOTATION = f"{GROUP}/member"
# The rest of a spec decides what is executed, and never changes.
CHANGEABLE = frozenset({"cancelRequested", "priority", "ttlSecondsAfterFinished"})

_MORE_THAN_ANYONE_HAS = 2**63 - 1
Quantities = Mapping[str, str | int]


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: str | None = None


class _Resources(msgspec.Struct):
    requests: dict[str, str | int] | None = None
    limits: dict[str, str | int] | None = None


class _Retry(msgspec.Struct, rename="camel"):
    max_attempts: int = 1
    backoff: str | None = None
    retryable_reasons: list[str] | None = None


class _RunSpec(msgspec.Struct, rename="camel"):
    runtime: str
    resources: _Resources | None = None
    timeout: str | None = None
    queue_timeout: str | None = None
    termination_grace_period_seconds: int | None = None
    retry_policy: _Retry | None = None
    priority: int | None = None
    cancel_requested: bool | None = None


class _Timings(msgspec.Struct, gc=False):
    queued: datetime | None = None
    assigned: datetime | None = None
    delivered: datetime | None = None
    started: datetime | None = None


class _RunStatus(msgspec.Struct, rename="camel"):
    phase: Phase = Phase.PENDING
    attempt: int = 0
    losses: int = 0
    assigned_pod: str | None = None
    assigned_pod_uid: str | None = msgspec.field(default=None, name="assignedPodUID")
    assigned_instance: str | None = None
    excluded_pods: list[str] | None = None
    not_before: datetime | None = None
    timings: _Timings | None = None
    reason: str | None = None
    message: str | None = None


class _RunObject(msgspec.Struct):
    metadata: _Meta
    spec: _RunSpec
    status: _RunStatus | None = None


class _SpecOnly(msgspec.Struct):
    spec: dict[str, Any]


class _LeaseMeta(_Meta, rename="camel"):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _LeaseSpec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: datetime | None = None


class _Lease(msgspec.Struct):
    metadata: _LeaseMeta
    spec: _LeaseSpec


class _Announcement(msgspec.Struct, rename="camel"):
    pod_uid: str = msgspec.field(default="", name="podUID")
    instance: str = ""
    accept_state: AcceptState = AcceptState.NOT_READY
    capacity: dict[str, int] = {}


class _Named(msgspec.Struct):
    metadata: _Meta


class Version(msgspec.Struct):
    """The answer to a write, as far as the writer needs it."""

    metadata: _Meta

    @property
    def version(self) -> str:
        """The resourceVersion the write gave the object."""
        return self.metadata.resource_version


_run = msgspec.json.Decoder(_RunObject).decode
_spec_only = msgspec.json.Decoder(_SpecOnly).decode
_lease = msgspec.json.Decoder(_Lease).decode
_announcement = msgspec.json.Decoder(_Announcement).decode
_named = msgspec.json.Decoder(_Named).decode
_version = msgspec.json.Decoder(Version).decode
_NOTHING = _RunStatus()
_NO_TIMES = _Timings()
_NO_RETRY = RetryPolicy()
_ONE_RUN = {"runs": 1}


def decode_run(body: bytes | msgspec.Raw) -> Run:
    """Read a Run as the scheduler needs it: without the bulk of its spec."""
    item = _run(body)
    meta, spec, status = item.metadata, item.spec, item.status or _NOTHING
    if meta.creation_timestamp is None:
        raise ValueError(f"Run {meta.namespace}/{meta.name} has no creationTimestamp")
    times, grace = status.timings or _NO_TIMES, spec.termination_grace_period_seconds
    resources = spec.resources
    limits = _amounts(resources.limits) if resources and resources.limits else {}
    requests = _amounts(resources.requests) if resources and resources.requests else {}
    return Run(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        version=meta.resource_version,
        runtime=spec.runtime,
        created=meta.creation_timestamp,
        phase=status.phase,
        attempt=status.attempt,
        losses=status.losses,
        assignment=_assignment(status),
        requests=_ONE_RUN | limits | requests,
        limits=limits,
        priority=spec.priority or 0,
        timeout=_seconds(spec.timeout),
        queue_timeout=_seconds(spec.queue_timeout),
        grace=None if grace is None else float(grace),
        retry=_retry(spec.retry_policy),
        cancel_requested=bool(spec.cancel_requested),
        deleting=meta.deletion_timestamp is not None,
        excluded=tuple(status.excluded_pods or ()),
        not_before=status.not_before,
        queued=times.queued,
        assigned=times.assigned,
        delivered=times.delivered,
        started=times.started,
        reason=status.reason or "",
        message=status.message or "",
    )


def decode_run_with_spec(body: bytes | msgspec.Raw) -> Run:
    """Read a Run as its daemon needs it: with all that it is to execute."""
    return replace(decode_run(body), spec=_spec_only(body).spec)


def decode_member(body: bytes | msgspec.Raw) -> Member:
    """Read a daemon's Lease; a member that announces nothing is not ready."""
    lease = _lease(body)
    meta, spec = lease.metadata, lease.spec
    text = (meta.annotations or {}).get(MEMBER_ANNOTATION)
    said = _announcement(text.encode()) if text else _Announcement()
    return Member(
        namespace=meta.namespace,
        name=meta.name,
        runtime=(meta.labels or {}).get(RUNTIME_LABEL, ""),
        version=meta.resource_version,
        pod_uid=said.pod_uid or spec.holder_identity or "",
        instance=said.instance,
        accept_state=said.accept_state,
        capacity=said.capacity,
        renewed=spec.renew_time,
        lease_seconds=float(spec.lease_duration_seconds or 15),
    )


def decode_runtime(body: bytes | msgspec.Raw) -> Runtime:
    """Read a Runtime as the scheduler needs it: that it exists."""
    meta = _named(body).metadata
    return Runtime(meta.namespace, meta.name, meta.uid, meta.resource_version)


def decode_version(body: bytes) -> str:
    """Read which resourceVersion a write gave the object."""
    return _version(body).version


def encode_announcement(member: Member) -> str:
    """Write what a member's annotation says."""
    said = _Announcement(member.pod_uid, member.instance, member.accept_state, dict(member.capacity))
    return msgspec.json.encode(said, order="sorted").decode()


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Give the SHA-256, in hex, of all in a Run's spec that decides what is executed."""
    fixed = {key: value for key, value in spec.items() if key not in CHANGEABLE}
    return hashlib.sha256(msgspec.json.encode(fixed, order="sorted")).hexdigest()


def _amounts(quantities: Quantities) -> dict[str, int]:
    return {name: _amount(name, text) for name, text in quantities.items()}


def _amount(name: str, text: str | int) -> int:
    try:
        return parse_quantity(name, text)
    except Unreadable:
        # The schema lets through only quantities; what is left is more than can be counted. Such a Run must
        # be told that it never fits, which it would not be if it could not be read.
        return _MORE_THAN_ANYONE_HAS


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration)


def _retry(policy: _Retry | None) -> RetryPolicy:
    if policy is None:
        return _NO_RETRY
    reasons = policy.retryable_reasons
    return RetryPolicy(
        policy.max_attempts,
        _seconds(policy.backoff) or 0.0,
        None if reasons is None else frozenset(reasons),
    )


def _assignment(status: _RunStatus) -> Assignment | None:
    if not status.assigned_pod:
        return None
    return Assignment(status.assigned_pod, status.assigned_pod_uid or "", status.assigned_instance or "")
