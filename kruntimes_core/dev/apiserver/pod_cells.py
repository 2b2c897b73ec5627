"""What the table says of a Pod: containers that are ready, its status in a word, its restarts. Pure."""

import datetime
from dataclasses import dataclass
from typing import Any

from kruntimes_core.dev.apiserver.durations import age
from kruntimes_core.dev.apiserver.resources import Object

NONE = "<none>"
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Containers:
    """The containers of one kind, as far as their statuses tell."""

    ready: int
    restarts: int
    restarted: str
    reason: str
    running: bool = False


def _state(status: Object, name: str) -> Object | None:
    found = (status.get("state") or {}).get(name)
    return found if isinstance(found, dict) else None


def _restarted(statuses: list[Object]) -> str:
    """When the last of them ended before it was started again; empty when none did."""
    ends = [((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for each in statuses]
    return max((str(end) for end in ends if end), default="")


def _restarts(statuses: list[Object]) -> int:
    return sum(int(each.get("restartCount") or 0) for each in statuses)


def _end(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _sidecars(pod: Object) -> set[str]:
    containers = (pod.get("spec") or {}).get("initContainers") or ()
    return {each["name"] for each in containers if each.get("restartPolicy") == "Always"}


def _ready_sidecars(pod: Object, statuses: list[Object]) -> int:
    names = _sidecars(pod)
    return sum(each.get("name") in names and bool(each.get("ready")) for each in statuses)


def _initializing(pod: Object, statuses: list[Object]) -> str:
    """What the first init container that is not through is doing; empty when all are."""
    names, total = _sidecars(pod), len((pod.get("spec") or {}).get("initContainers") or ())
    for index, status in enumerate(statuses):
        ended, waiting = _state(status, "terminated"), _state(status, "waiting") or {}
        if ended is not None and not ended.get("exitCode"):
            continue
        if status.get("name") in names and status.get("started"):
            continue
        if ended is not None:
            return f"Init:{_end(ended)}"
        reason = waiting.get("reason")
        return f"Init:{index}/{total}" if reason in (None, "", "PodInitializing") else f"Init:{reason}"
    return ""


def _main(statuses: list[Object]) -> Containers:
    reason, ready, running = "", 0, False
    for status in reversed(statuses):
        waiting, ended = _state(status, "waiting"), _state(status, "terminated")
        if waiting and waiting.get("reason"):
            reason = str(waiting["reason"])
        elif ended is not None:
            reason = _end(ended)
        elif status.get("ready") and _state(status, "running") is not None:
            ready, running = ready + 1, True
    return Containers(ready, _restarts(statuses), _restarted(statuses), reason, running)


def _condition(pod: Object, name: str) -> Object:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == name), {})


def _containers(pod: Object) -> Containers:
    """All of them together, with what the Pod's status is called because of them."""
    status = pod.get("status") or {}
    before = list(status.get("initContainerStatuses") or ())
    sidecars = [each for each in before if each.get("name") in _sidecars(pod)]
    ready = _ready_sidecars(pod, before)
    reason = _initializing(pod, before)
    if reason and _condition(pod, "Initialized").get("status") != "True":
        return Containers(ready, _restarts(before), _restarted(before), reason)
    main = _main(list(status.get("containerStatuses") or ()))
    reason = main.reason or reason
    if reason == "Completed" and main.running:
        reason = "Running" if _condition(pod, "Ready").get("status") == "True" else "NotReady"
    restarts, restarted = main.restarts + _restarts(sidecars), max(main.restarted, _restarted(sidecars))
    return Containers(ready + main.ready, restarts, restarted, reason)


def ready(pod: Object, now: datetime.datetime) -> str:
    """Containers that are ready, of all that are to be: sidecars count."""
    total = len((pod.get("spec") or {}).get("containers") or ()) + len(_sidecars(pod))
    return f"{_containers(pod).ready}/{total}"


def status(pod: Object, now: datetime.datetime) -> str:
    """The one word for where it stands."""
    told: Any = pod.get("status") or {}
    phase, reason = str(told.get("phase") or ""), str(told.get("reason") or "")
    if pod["metadata"].get("deletionTimestamp"):
        if reason == "NodeLost":
            return "Unknown"
        if phase not in _ENDED:
            return "Terminating"
    gated = _condition(pod, "PodScheduled").get("reason") == "SchedulingGated"
    return _containers(pod).reason or ("SchedulingGated" if gated else reason or phase)


def restarts(pod: Object, now: datetime.datetime) -> str:
    """How often, and how long since the last time."""
    found = _containers(pod)
    if not found.restarts or not found.restarted:
        return str(found.restarts)
    return f"{found.restarts} ({age(found.restarted, now)} ago)"


def gates(pod: Object, now: datetime.datetime) -> str:
    """Readiness gates that are open, of all."""
    wanted = [each.get("conditionType") for each in (pod.get("spec") or {}).get("readinessGates") or ()]
    if not wanted:
        return NONE
    is_open = sum(_condition(pod, str(name)).get("status") == "True" for name in wanted)
    return f"{is_open}/{len(wanted)}"
