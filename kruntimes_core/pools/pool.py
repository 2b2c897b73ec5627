"""A Runtime as its pool's owner reads it; it refuses nothing and renders nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kruntimes_core.model.resources import RUNS, parse_amounts, parse_quantity

Object = Mapping[str, Any]

GROUP = "kruntimes.io"
RUNTIME_LABEL = f"{GROUP}/runtime"
RUNTIME_CONTAINER = "runtime"
DEFAULT_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Pool:
    """What one version of a Runtime object asks for."""

    namespace: str
    name: str
    uid: str
    version: str
    generation: int = 0
    replicas: int = 1
    template: Object = field(default_factory=dict)
    capacity: Object = field(default_factory=dict)
    server_config: Object = field(default_factory=dict)
    status: Object = field(default_factory=dict)

    @property
    def deployment(self) -> str:
        """Return the name of its Deployment and of its ServiceAccount."""
        return f"kruntimes-{self.name}"


def read_pool(runtime: Object) -> Pool:
    """Return the pool a Runtime object asks for."""
    meta, spec = runtime["metadata"], runtime.get("spec") or {}
    replicas = spec.get("replicas")
    return Pool(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        version=meta.get("resourceVersion", ""),
        generation=meta.get("generation", 0),
        replicas=1 if replicas is None else int(replicas),
        template=spec.get("template") or {},
        capacity=(spec.get("capacity") or {}).get("resources") or {},
        server_config=(spec.get("server") or {}).get("config") or {},
        status=runtime.get("status") or {},
    )


def granted_capacity(pool: Pool) -> dict[str, int]:
    """Return what one member offers, in base units: what the Runtime names, else the container's limits."""
    containers = (pool.template.get("spec") or {}).get("containers") or [{}]
    limits = (containers[0].get("resources") or {}).get("limits") or {}
    own = {name: limits[name] for name in ("cpu", "memory", "ephemeral-storage") if name in limits}
    return {RUNS: 1} | parse_amounts(own) | parse_amounts(pool.capacity)


def grace_seconds(pool: Pool) -> int:
    """Return how long a member may take to end."""
    given = (pool.template.get("spec") or {}).get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE_SECONDS if given is None else int(given)


def as_quantity(name: str, amount: int) -> str:
    """Return base units as a Kubernetes quantity, such that reading it gives the same amount."""
    text = f"{amount}m" if name == "cpu" else str(amount)
    assert parse_quantity(name, text) == amount
    return text
