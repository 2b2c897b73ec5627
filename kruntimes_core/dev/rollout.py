"""Which Pods a Deployment has to create and delete now, and what its status says. Pure."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kruntimes_core.dev.podspec import Object
from kruntimes_core.dev.podstatus import is_ready

HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True)
class Plan:
    """How many Pods of the present template to create, and which Pods to delete."""

    create: int
    delete: tuple[str, ...]


def template_hash(deployment: Object) -> str:
    """Return the mark of the present template; another template has another mark."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def new_pod(deployment: Object, suffix: str) -> dict[str, Any]:
    """Return the Pod to create for `deployment`, owned by it."""
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    inner = template.get("metadata") or {}
    mark = template_hash(deployment)
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{mark[:6]}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": {**(inner.get("labels") or {}), HASH_LABEL: mark},
            "annotations": dict(inner.get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": dict(template["spec"]),
    }


def plan(deployment: Object, pods: Sequence[Object]) -> Plan:
    """Decide one step; `pods` are the Deployment's own. Another step follows when one of them changes."""
    if deployment["metadata"].get("deletionTimestamp"):
        return Plan(0, ())
    wanted = _replicas(deployment)
    finished = [pod for pod in pods if _finished(pod) and not _leaving(pod)]
    present = [pod for pod in pods if not _leaving(pod) and not _finished(pod)]
    mark = template_hash(deployment)
    new = [pod for pod in present if _labels(pod).get(HASH_LABEL) == mark]
    old = [pod for pod in present if _labels(pod).get(HASH_LABEL) != mark]
    surge, unavailable = _strategy(deployment, wanted)
    room = wanted + surge - len(present)
    create = max(0, min(wanted - len(new), room))
    delete = _surplus(new, wanted) + _replaced(old, new, wanted - unavailable)
    return Plan(create, tuple(pod["metadata"]["name"] for pod in [*finished, *delete]))


def deployment_status(deployment: Object, pods: Sequence[Object]) -> dict[str, Any]:
    """Return the Deployment's status as its Pods stand."""
    present = [pod for pod in pods if not _leaving(pod) and not _finished(pod)]
    mark, wanted = template_hash(deployment), _replicas(deployment)
    ready = sum(1 for pod in present if is_ready(pod))
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": len(present),
        "updatedReplicas": sum(1 for pod in present if _labels(pod).get(HASH_LABEL) == mark),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [
            {
                "type": "Available",
                "status": "True" if ready >= wanted else "False",
                "reason": "MinimumReplicasAvailable" if ready >= wanted else "MinimumReplicasUnavailable",
            }
        ],
    }


def _surplus(new: Sequence[Object], wanted: int) -> list[Object]:
    """Return Pods of the present template beyond what is wanted: those not ready first, then the youngest."""
    youngest_first = sorted(new, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    return sorted(youngest_first, key=is_ready)[: max(0, len(new) - wanted)]


def _replaced(old: Sequence[Object], new: Sequence[Object], needed: int) -> list[Object]:
    """Return Pods of former templates that may go: the ready ones only as new ones take their place."""
    idle = [pod for pod in old if not is_ready(pod)]
    ready = sorted((pod for pod in old if is_ready(pod)), key=lambda pod: str(pod["metadata"]["name"]))
    new_ready = sum(1 for pod in new if is_ready(pod))
    spare = max(0, len(ready) + new_ready - max(0, needed))
    return idle + ready[:spare]


def _strategy(deployment: Object, wanted: int) -> tuple[int, int]:
    """Return how many Pods may exist beyond the wanted number, and how many may be missing."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    return (surge, unavailable) if surge or unavailable else (1, 0)


def _share(value: int | str, wanted: int, rounding: Any) -> int:
    if isinstance(value, int):
        return value
    return int(rounding(int(value.rstrip("%")) * wanted / 100))


def _replicas(deployment: Object) -> int:
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def _labels(pod: Object) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
