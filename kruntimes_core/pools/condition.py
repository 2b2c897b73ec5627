"""What a Runtime's status says of its pool; it writes nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kruntimes_core.model.resources import add
from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.pools.judge import Refusal
from kruntimes_core.pools.pool import Object, Pool, as_quantity

TAKES_RUNS = frozenset({AcceptState.ACCEPTING, AcceptState.SATURATED})
LONGEST_MESSAGE = 4096
TEMPLATE_REFUSED = "TemplateRefused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The Ready condition, before anyone asks when it began."""

    ready: bool
    reason: str
    message: str


def is_ready(member: Member) -> bool:
    """Return whether a member takes Runs, or would if it were not full."""
    return bool(member.instance) and member.accept_state in TAKES_RUNS


def refused(refusals: Sequence[Refusal]) -> Verdict:
    """Say why a pool is not made; one that was made before from another template goes on as it is."""
    return Verdict(False, TEMPLATE_REFUSED, "; ".join(str(refusal) for refusal in refusals))


def rejected(message: str) -> Verdict:
    """Say that the API server did not take the Deployment."""
    return Verdict(False, "DeploymentRefused", message)


def name_taken(pool: Pool) -> Verdict:
    """Say that an object of another owner stands where the pool's must be."""
    what = f"{pool.deployment!r} exists and is not owned by this Runtime; delete or rename it"
    return Verdict(False, "NameTaken", f"a Deployment or ServiceAccount {what}")


def judge_members(pool: Pool, deployment: Object | None, members: Iterable[Member]) -> Verdict:
    """Say whether as many members take Runs as are wanted."""
    ready = sum(map(is_ready, members))
    message = f"{ready} of {pool.replicas} members ready"
    if pool.replicas == 0:
        return Verdict(True, "ScaledToZero", "no member is wanted")
    if ready >= pool.replicas:
        return Verdict(True, "MembersReady", message)
    for condition in ((deployment or {}).get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Verdict(False, "PodsRefused", f"{message}; {condition.get('message', '')}")
    return Verdict(False, "MembersNotReady" if ready else "NoReadyMember", message)


def status_of(
    pool: Pool, verdict: Verdict, deployment: Object | None, members: Iterable[Member], now: datetime
) -> dict[str, Any] | None:
    """Return the Runtime's new status, or None when the stored one says the same."""
    ready = [member for member in members if is_ready(member)]
    totals: dict[str, int] = {}
    for member in ready:
        totals = add(totals, member.capacity)
    status = {
        "replicas": int(((deployment or {}).get("status") or {}).get("replicas") or 0),
        "readyReplicas": len(ready),
        # null takes away what is no longer offered; a merge patch would keep it.
        "capacity": _known(pool, "capacity") | {name: as_quantity(name, n) for name, n in totals.items()},
        "observedGeneration": pool.generation,
        "conditions": [_condition(pool, verdict, now), *_others(pool)],
    }
    return None if _unchanged(pool.status, status) else status


def _condition(pool: Pool, verdict: Verdict, now: datetime) -> dict[str, Any]:
    wanted = {
        "type": "Ready",
        "status": "True" if verdict.ready else "False",
        "reason": verdict.reason,
        "message": verdict.message[:LONGEST_MESSAGE],
        "observedGeneration": pool.generation,
    }
    for condition in pool.status.get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == wanted["status"]:
            return wanted | {"lastTransitionTime": condition.get("lastTransitionTime")}
    return wanted | {"lastTransitionTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _others(pool: Pool) -> list[Any]:
    return [entry for entry in pool.status.get("conditions") or () if entry.get("type") != "Ready"]


def _known(pool: Pool, key: str) -> dict[str, str | None]:
    return dict.fromkeys(pool.status.get(key) or {})


def _unchanged(stored: Object, wanted: Object) -> bool:
    offered = {name: amount for name, amount in wanted["capacity"].items() if amount is not None}
    return all(stored.get(key) == value for key, value in wanted.items() if key != "capacity") and (
        (stored.get("capacity") or {}) == offered
    )
