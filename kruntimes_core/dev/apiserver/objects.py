"""What happens to an object's metadata when it is created, changed or deleted. Pure; it never stores."""

from dataclasses import dataclass
from typing import Any

from msgspec.json import encode

from kruntimes_core.dev.apiserver.resources import Object, Resource

_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


@dataclass(frozen=True)
class Birth:
    """What a new object is given by the server."""

    name: str
    namespace: str | None
    uid: str
    time: str


def metadata_of(obj: Object) -> Object:
    """The object's metadata, empty when it has none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def born(resource: Resource, obj: Object, birth: Birth) -> Object:
    """A new object with the metadata the server owns."""
    metadata = {k: v for k, v in metadata_of(obj).items() if k not in _KEPT and v is not None}
    for key in ("managedFields", "selfLink", "resourceVersion"):
        metadata.pop(key, None)
    metadata["name"] = birth.name
    metadata.pop("namespace", None)
    if birth.namespace is not None:
        metadata["namespace"] = birth.namespace
    metadata |= {"uid": birth.uid, "creationTimestamp": birth.time}
    if resource.counts_generations:
        metadata["generation"] = 1
    result = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    hidden = {"apiVersion", "kind", "metadata"} | ({"status"} if resource.has_status else set())
    return result | {key: value for key, value in obj.items() if key not in hidden}


def changed(resource: Resource, old: Object, new: Object) -> Object:
    """The object a write of the main resource asks for, with all that is not its to change kept."""
    before = old["metadata"]
    metadata = {key: value for key, value in metadata_of(new).items() if value is not None}
    for key in ("managedFields", "selfLink", *_KEPT):
        metadata.pop(key, None)
    metadata |= {"name": before["name"], "resourceVersion": before["resourceVersion"]}
    metadata |= {key: before[key] for key in ("namespace", *_KEPT) if key in before}
    result = {"apiVersion": old["apiVersion"], "kind": old["kind"], "metadata": metadata}
    hidden = {"apiVersion", "kind", "metadata"} | ({"status"} if resource.has_status else set())
    result |= {key: same_where_equal(value, old.get(key)) for key, value in new.items() if key not in hidden}
    if resource.has_status and "status" in old:
        result["status"] = old["status"]
    return result


def changed_status(old: Object, new: Object) -> Object:
    """The object that a write of the status asks for: nothing but the status changes."""
    result = dict(old)
    if "status" in new:
        result["status"] = same_where_equal(new["status"], old.get("status"))
    else:
        result.pop("status", None)
    return result


def same_where_equal(new: Any, old: Any) -> Any:
    """The old value itself when the new one equals it, so that later steps see what did not change."""
    return old if new is old or same(new, old) else new


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: unlike in Python, true is not 1, and 1.0 is not 1."""
    return bool(one == other) and encode(one, order="sorted") == encode(other, order="sorted")


def counted(resource: Resource, old: Object, new: Object) -> Object:
    """The new object with its generation raised when more than metadata and status changed."""
    if not resource.counts_generations:
        return new
    aside = {"metadata"} | ({"status"} if resource.has_status else set())
    keys = (new.keys() | old.keys()) - aside
    if all(new.get(key) is old.get(key) or new.get(key) == old.get(key) for key in keys):
        return new
    generation = int(old["metadata"].get("generation") or 0) + 1
    return new | {"metadata": new["metadata"] | {"generation": generation}}


def deletion(resource: Resource, old: Object, grace: int | None, time: str) -> Object | None:
    """What is left of an object that is to be deleted: marked and waiting, or nothing."""
    metadata = old["metadata"]
    seconds = _grace(resource, old, grace)
    if not seconds and not _held(old):
        return None
    marked = metadata.get("deletionTimestamp")
    if marked and seconds >= int(metadata.get("deletionGracePeriodSeconds") or 0):
        return old
    change = {"deletionGracePeriodSeconds": seconds, "deletionTimestamp": marked or time}
    if resource.counts_generations:
        change["generation"] = int(metadata.get("generation") or 0) + 1
    left = old | {"metadata": metadata | change}
    return left | {"status": {"phase": "Terminating"}} if _is_namespace(old) else left


def _is_namespace(obj: Object) -> bool:
    return bool(obj["kind"] == "Namespace" and obj["apiVersion"] == "v1")


def _held(obj: Object) -> bool:
    """Whether something must happen before the object may go; of a namespace its content goes first."""
    spec = obj.get("spec") if _is_namespace(obj) else None
    return bool(obj["metadata"].get("finalizers") or (spec or {}).get("finalizers"))


def _grace(resource: Resource, old: Object, asked: int | None) -> int:
    """Only Pods end with a grace: the kubelet deletes them for good, with a grace of zero."""
    if resource.kind != "Pod" or resource.custom:
        return 0
    if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(0, asked)
    return int((old.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)


def is_gone(obj: Object) -> bool:
    """Whether nothing keeps an object any more that is marked as deleted."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or _held(obj):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
