"""One cell of a table: a value of an object as kubectl shows it; it never knows the table."""

import datetime
from collections.abc import Callable
from typing import Any

from kruntimes_core.dev.apiserver.json_paths import find
from kruntimes_core.dev.apiserver.resources import Column, Object

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def cell(column: Column, obj: Object, now: datetime.datetime) -> Any:
    """The value of a column."""
    if column.path.startswith("@"):
        return _WORKED_OUT[column.path](obj)
    values = find(column.path, obj)
    value = values[0] if values else None
    if column.type == "date":
        return age(value, now)
    if value is None:
        return None if column.type in ("integer", "number", "boolean") else ""
    if column.type == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def age(time: Any, now: datetime.datetime) -> str:
    """How long ago, in the two largest units that matter."""
    try:
        then = datetime.datetime.fromisoformat(str(time))
    except ValueError:
        return "<unknown>" if time is None else "<invalid>"
    seconds = int((now - then).total_seconds())
    if seconds < -2:
        return "<invalid>"
    return duration(max(0, seconds))


def duration(seconds: int) -> str:
    """The short form of kubectl: 90s, 5m30s, 12m, 3h5m, 20h, 2d4h, 40d."""
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 600:
        return _two(seconds, 60, "m", 1, "s")
    if seconds < 3 * 3600:
        return f"{seconds // 60}m"
    if seconds < 8 * 3600:
        return _two(seconds, 3600, "h", 60, "m")
    if seconds < 48 * 3600:
        return f"{seconds // 3600}h"
    if seconds < 8 * 86400:
        return _two(seconds, 86400, "d", 3600, "h")
    return f"{seconds // 86400}d"


def _two(seconds: int, large: int, name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{name}" + (f"{rest}{small_name}" if rest else "")


def _statuses(pod: Object) -> list[Object]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _pod_ready(pod: Object) -> str:
    total = len((pod.get("spec") or {}).get("containers") or ())
    sidecars = [
        c for c in (pod.get("spec") or {}).get("initContainers") or () if c.get("restartPolicy") == "Always"
    ]
    names = {each["name"] for each in sidecars}
    started = [
        s for s in (pod.get("status") or {}).get("initContainerStatuses") or () if s.get("name") in names
    ]
    ready = sum(bool(status.get("ready")) for status in [*_statuses(pod), *started])
    return f"{ready}/{total + len(sidecars)}"


def _pod_status(pod: Object) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *_statuses(pod)]:
        state = container.get("state") or {}
        reason = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason")
        if reason and reason != "Completed":
            return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _pod_restarts(pod: Object) -> int:
    return sum(int(status.get("restartCount") or 0) for status in _statuses(pod))


def _deployment(part: str) -> Callable[[Object], int]:
    return lambda obj: int((obj.get("status") or {}).get(part) or 0)


def _deployment_ready(obj: Object) -> str:
    return f"{_deployment('readyReplicas')(obj)}/{(obj.get('spec') or {}).get('replicas', 1)}"


def _event_object(obj: Object) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


_WORKED_OUT: dict[str, Callable[[Object], Any]] = {
    "@pod-ready": _pod_ready,
    "@pod-status": _pod_status,
    "@pod-restarts": _pod_restarts,
    "@data-count": lambda obj: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()),
    "@deployment-ready": _deployment_ready,
    "@deployment-updated": _deployment("updatedReplicas"),
    "@deployment-available": _deployment("availableReplicas"),
    "@event-object": _event_object,
}
