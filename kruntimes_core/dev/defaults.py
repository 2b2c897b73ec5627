"""The Runtimes that a fresh embedded control plane has from the start. Pure."""

from dataclasses import dataclass
from typing import Any

NAMESPACE = "default"


@dataclass(frozen=True)
class PoolSize:
    """Members of a default Runtime, and Runs each takes at once; None leaves what is there."""

    replicas: int | None = None
    slots: int | None = None


DEFAULT_REPLICAS = 1
DEFAULT_SLOTS = 4


def bash_runtime(size: PoolSize) -> dict[str, Any]:
    """Return the Runtime `bash`."""
    container = {
        "name": "runtime",
        "image": "kruntimes/bash",
        "command": ["python", "-m", "runtime_servers.bash"],
    }
    return {
        "apiVersion": "kruntimes.io/v1alpha1",
        "kind": "Runtime",
        "metadata": {"name": "bash", "namespace": NAMESPACE},
        "spec": {
            "replicas": DEFAULT_REPLICAS if size.replicas is None else size.replicas,
            "capacity": {"resources": {"runs": DEFAULT_SLOTS if size.slots is None else size.slots}},
            "template": {"spec": {"containers": [container]}},
        },
    }


def resized(size: PoolSize) -> dict[str, Any]:
    """Return the merge patch that gives an existing Runtime the wanted size; empty when nothing is wanted."""
    spec: dict[str, Any] = {}
    if size.replicas is not None:
        spec["replicas"] = size.replicas
    if size.slots is not None:
        spec["capacity"] = {"resources": {"runs": size.slots}}
    return {"spec": spec} if spec else {}
