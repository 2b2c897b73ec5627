"""What a Pod's status says, computed from the states of its containers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from kruntimes_core.dev.podspec import Container, Object, Role

LOCAL_ADDRESS = "127.0.0.1"
READINESS = frozenset({"ContainersReady", "Ready"})
KILLED = -9


@dataclass(frozen=True)
class Waiting:
    """Not running, and why."""

    reason: str = "PodInitializing"
    message: str = ""


@dataclass(frozen=True)
class Running:
    """Under way."""

    since: datetime


@dataclass(frozen=True)
class Ended:
    """Gone; `code` is the exit code, or the negative number of the signal."""

    code: int
    since: datetime
    at: datetime


@dataclass(frozen=True)
class ContainerState:
    """One container now, and how it last ended."""

    now: Waiting | Running | Ended = Waiting()
    last: Ended | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False

    def began(self, at: datetime) -> "ContainerState":
        """Return the state after the program was started."""
        last = self.now if isinstance(self.now, Ended) else self.last
        restarts = self.restarts + (1 if last is not None else 0)
        return ContainerState(Running(at), last, restarts)

    def ended(self, code: int, at: datetime) -> "ContainerState":
        """Return the state after the program has ended."""
        since = self.now.since if isinstance(self.now, Running) else at
        return ContainerState(Ended(code, since, at), self.last, self.restarts)

    def waits(self, reason: str, message: str = "") -> "ContainerState":
        """Return the state of a program that is to be started later."""
        last = self.now if isinstance(self.now, Ended) else self.last
        return replace(self, now=Waiting(reason, message), last=last, started=False, ready=False)


def restarts(container: Container, code: int) -> bool:
    """Tell whether a container that ended with `code` is started again."""
    if container.restart == "Always":
        return container.role is not Role.INIT or code != 0
    return container.restart == "OnFailure" and code != 0


def pod_status(
    pod: Object, containers: Sequence[Container], states: Mapping[str, ContainerState], now: datetime
) -> dict[str, Any]:
    """Return the status of `pod`; `pod` gives the times of conditions that have not changed."""
    before = pod.get("status") or {}
    inits = [container for container in containers if container.role is not Role.MAIN]
    mains = [container for container in containers if container.role is Role.MAIN]
    initialized = all(_initialized(container, states[container.name]) for container in inits)
    lasting = [container for container in containers if container.role is not Role.INIT]
    phase = _phase(mains, states, initialized)
    ready = phase == "Running" and all(states[container.name].ready for container in lasting)
    conditions = {
        "PodScheduled": True,
        "Initialized": initialized,
        "ContainersReady": ready,
        "Ready": ready and not pod["metadata"].get("deletionTimestamp"),
    }
    return {
        "phase": phase,
        "conditions": _conditions(conditions, before.get("conditions") or (), now),
        "hostIP": LOCAL_ADDRESS,
        "podIP": LOCAL_ADDRESS,
        "podIPs": [{"ip": LOCAL_ADDRESS}],
        "startTime": before.get("startTime") or _text(now),
        "qosClass": "BestEffort",
        "initContainerStatuses": [_container_status(pod, c, states[c.name]) for c in inits],
        "containerStatuses": [_container_status(pod, c, states[c.name]) for c in mains],
    }


def refused_status(pod: Object, message: str, now: datetime) -> dict[str, Any]:
    """Return the status of a Pod that cannot run here; it stays Pending, so nobody replaces it in vain."""
    before = pod.get("status") or {}
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    containers = [
        {
            "name": container["name"],
            "image": container.get("image") or "",
            "imageID": "",
            "restartCount": 0,
            "ready": False,
            "started": False,
            "state": state,
        }
        for container in pod["spec"]["containers"]
    ]
    return {
        "phase": "Pending",
        "message": message,
        "conditions": _conditions(
            {"PodScheduled": True, "Ready": False}, before.get("conditions") or (), now
        ),
        "startTime": before.get("startTime") or _text(now),
        "containerStatuses": containers,
    }


def fallen_status(pod: Object, now: datetime) -> dict[str, Any] | None:
    """Return what changes in the status of a Pod whose processes all ended unseen; None if nothing does."""
    status = pod.get("status") or {}
    changes: dict[str, Any] = {
        key: [_fallen(entry, now) for entry in status[key]]
        for key in ("initContainerStatuses", "containerStatuses")
        if status.get(key)
    }
    conditions = status.get("conditions") or ()
    held = {condition["type"]: condition["status"] == "True" for condition in conditions}
    changes["conditions"] = _conditions(held | dict.fromkeys(held.keys() & READINESS, False), conditions, now)
    return changes if any(status.get(key, []) != value for key, value in changes.items()) else None


def is_ready(pod: Object) -> bool:
    """Tell whether a Pod's own status calls it ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _initialized(container: Container, state: ContainerState) -> bool:
    if container.role is Role.SIDECAR:
        return state.started or state.restarts > 0
    return isinstance(state.now, Ended) and state.now.code == 0


def _phase(mains: Sequence[Container], states: Mapping[str, ContainerState], initialized: bool) -> str:
    nows = [(container, states[container.name]) for container in mains]
    if not initialized or any(isinstance(s.now, Waiting) and s.last is None for _, s in nows):
        return "Pending"
    codes = [s.now.code for c, s in nows if isinstance(s.now, Ended) and not restarts(c, s.now.code)]
    if len(codes) < len(nows):
        return "Running"
    return "Failed" if any(codes) else "Succeeded"


def _conditions(wanted: Mapping[str, bool], before: Sequence[Object], now: datetime) -> list[dict[str, Any]]:
    known = {condition["type"]: condition for condition in before}
    conditions = []
    for kind, value in wanted.items():
        status = "True" if value else "False"
        old = known.get(kind)
        fresh = {"type": kind, "status": status, "lastTransitionTime": _text(now)}
        # Kept with what the API server has put in, so that what says the truth is not written again.
        conditions.append(dict(old) if old is not None and old["status"] == status else fresh)
    return conditions


def _container_status(pod: Object, container: Container, state: ContainerState) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "containerID": f"local://{pod['metadata']['uid']}/{container.name}",
        "restartCount": state.restarts,
        "started": state.started,
        "ready": state.ready if container.role is not Role.INIT else _initialized(container, state),
        "state": _state(state.now),
        "lastState": _state(state.last) if state.last else {},
    }


def _fallen(entry: Object, now: datetime) -> dict[str, Any]:
    running = (entry.get("state") or {}).get("running")
    if running is None:
        return dict(entry)
    end = _terminated(KILLED, running.get("startedAt") or _text(now), _text(now))
    return {**entry, "state": end, "ready": False, "started": False}


def _state(state: Waiting | Running | Ended) -> dict[str, Any]:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(since):
            return {"running": {"startedAt": _text(since)}}
        case Ended(code, since, at):
            return _terminated(code, _text(since), _text(at))


def _terminated(code: int, since: str, at: str) -> dict[str, Any]:
    return {
        "terminated": {
            "exitCode": code if code >= 0 else 128 - code,
            "signal": max(0, -code),
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": since,
            "finishedAt": at,
        }
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
