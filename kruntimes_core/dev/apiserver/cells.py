"""One cell of a table: a value of an object as kubectl shows it; it never knows the table."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from kruntimes_core.dev.apiserver import pod_cells
from kruntimes_core.dev.apiserver.durations import UNKNOWN, age
from kruntimes_core.dev.apiserver.json_paths import find
from kruntimes_core.dev.apiserver.pod_cells import NONE
from kruntimes_core.dev.apiserver.resources import Column, Object

Worked = Callable[[Object, datetime.datetime], Any]


def cell(column: Column, obj: Object, now: datetime.datetime) -> Any:
    """The value of a column."""
    if column.path.startswith("@"):
        return _WORKED_OUT[column.path](obj, now)
    values = find(column.path, obj)
    value = values[0] if values else None
    if value is None:
        return None
    if column.type == "date":
        return age(value, now)
    if column.type == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _age(obj: Object, now: datetime.datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _at(obj: Object, *path: str) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _or_none(*path: str) -> Worked:
    """A text, or the word for none."""
    return lambda obj, now: _at(obj, *path) or NONE


def _number(*path: str) -> Worked:
    return lambda obj, now: int(_at(obj, *path) or 0)


def _data_count(obj: Object, now: datetime.datetime) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


def selector_text(selector: Any) -> str:
    """A label selector in the notation of `kubectl -l`."""
    pairs = sorted((_at(selector, "matchLabels") or {}).items())
    parts = [f"{key}={value}" for key, value in pairs]
    for each in _at(selector, "matchExpressions") or ():
        key, operator = each.get("key", ""), each.get("operator", "")
        values = ",".join(each.get("values") or ())
        shown = {"Exists": key, "DoesNotExist": f"!{key}"}.get(
            operator, f"{key} {operator.lower()} ({values})"
        )
        parts.append(shown)
    return ",".join(parts) or NONE


def _deployment_ready(obj: Object, now: datetime.datetime) -> str:
    return f"{int(_at(obj, 'status', 'readyReplicas') or 0)}/{int(_at(obj, 'spec', 'replicas') or 0)}"


def _containers(field: str) -> Worked:
    def listed(obj: Object, now: datetime.datetime) -> str:
        return ",".join(
            str(each.get(field, "")) for each in _at(obj, "spec", "template", "spec", "containers") or ()
        )

    return listed


# Events.


def _first_seen(obj: Object, now: datetime.datetime) -> str:
    return age(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: Object, now: datetime.datetime) -> str:
    last = _at(obj, "series", "lastObservedTime") or obj.get("lastTimestamp")
    return age(last, now) if last else _first_seen(obj, now)


def _event_count(obj: Object, now: datetime.datetime) -> int:
    return int(_at(obj, "series", "count") or obj.get("count") or 1)


def _event_object(obj: Object, now: datetime.datetime) -> str:
    kind, name = str(_at(obj, "involvedObject", "kind") or "").lower(), _at(obj, "involvedObject", "name")
    return f"{kind}/{name}" if name else kind


def _event_source(obj: Object, now: datetime.datetime) -> str:
    who = _at(obj, "source", "component") or obj.get("reportingComponent") or ""
    where = _at(obj, "source", "host") or obj.get("reportingInstance") or ""
    return f"{who}, {where}" if where else who


# Rights.


def _role(obj: Object, now: datetime.datetime) -> str:
    return f"{_at(obj, 'roleRef', 'kind')}/{_at(obj, 'roleRef', 'name')}"


def _subjects(kind: str) -> Worked:
    def listed(obj: Object, now: datetime.datetime) -> str:
        found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
        return ", ".join(
            f"{each.get('namespace', '')}/{each['name']}" if kind == "ServiceAccount" else each["name"]
            for each in found
        )

    return listed


_WORKED_OUT: dict[str, Worked] = {
    "@age": _age,
    "@created": lambda obj, now: obj["metadata"].get("creationTimestamp") or UNKNOWN,
    "@data-count": _data_count,
    "@pod-ready": pod_cells.ready,
    "@pod-status": pod_cells.status,
    "@pod-restarts": pod_cells.restarts,
    "@pod-ip": _or_none("status", "podIP"),
    "@pod-node": _or_none("spec", "nodeName"),
    "@pod-nominated": _or_none("status", "nominatedNodeName"),
    "@pod-gates": pod_cells.gates,
    "@deployment-ready": _deployment_ready,
    "@deployment-updated": _number("status", "updatedReplicas"),
    "@deployment-available": _number("status", "availableReplicas"),
    "@deployment-containers": _containers("name"),
    "@deployment-images": _containers("image"),
    "@deployment-selector": lambda obj, now: selector_text(_at(obj, "spec", "selector")),
    "@policy-selector": lambda obj, now: selector_text(_at(obj, "spec", "podSelector")),
    "@event-last": _last_seen,
    "@event-first": _first_seen,
    "@event-count": _event_count,
    "@event-object": _event_object,
    "@event-source": _event_source,
    "@event-message": lambda obj, now: str(obj.get("message") or "").strip(),
    "@role": _role,
    "@users": _subjects("User"),
    "@groups": _subjects("Group"),
    "@accounts": _subjects("ServiceAccount"),
}
