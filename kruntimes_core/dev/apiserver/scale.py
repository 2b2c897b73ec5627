"""The scale subresource: an object seen as a number of replicas; it never writes."""

from typing import Any

from kruntimes_core.dev.apiserver.errors import bad_request
from kruntimes_core.dev.apiserver.resources import Object, Path, Resource

RESOURCE = Resource("autoscaling", "v1", "scales", "scale", "Scale")


def _at(obj: Object, path: Path) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _with(obj: Object, path: Path, value: Any) -> Object:
    if len(path) == 1:
        return obj | {path[0]: value}
    return obj | {path[0]: _with(obj.get(path[0]) or {}, path[1:], value)}


def shown(resource: Resource, obj: Object) -> Object:
    """The Scale of an object."""
    scale = resource.scale
    assert scale is not None
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": _at(obj, scale.status) or 0}
    selector = _at(obj, scale.selector) if scale.selector else None
    if isinstance(selector, dict):
        pairs = (selector.get("matchLabels") or {}).items()
        status["selector"] = ",".join(f"{key}={value}" for key, value in pairs)
    elif selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": _at(obj, scale.spec) or 0},
        "status": status,
    }


def applied(resource: Resource, obj: Object, body: Any) -> Object:
    """The object with the replicas, and the expected version, of a Scale."""
    scale = resource.scale
    assert scale is not None
    replicas = _at(body, ("spec", "replicas")) if isinstance(body, dict) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise bad_request(f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0")
    version = _at(body, ("metadata", "resourceVersion")) or obj["metadata"]["resourceVersion"]
    return _with(obj, scale.spec, replicas) | {"metadata": obj["metadata"] | {"resourceVersion": version}}
