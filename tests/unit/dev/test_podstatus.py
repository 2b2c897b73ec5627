"""A Pod's status follows the states of its containers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kruntimes_core.dev.podspec import Container, Role, read_pod
from kruntimes_core.dev.podstatus import (
    ContainerState,
    fallen_status,
    is_ready,
    pod_status,
    refused_status,
    restarts,
)
from tests.unit.dev.pods import AROUND, make_container, make_pod

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POD = make_pod(init=(make_container("daemon", restartPolicy="Always"),))
UP = ContainerState().began(NOW)


def ready(state: ContainerState = UP) -> ContainerState:
    return ContainerState(state.now, state.last, state.restarts, started=True, ready=True)


def status_of(pod: dict[str, Any], *states: ContainerState) -> dict[str, Any]:
    containers = read_pod(pod, AROUND).containers
    named = {container.name: state for container, state in zip(containers, states, strict=True)}
    return pod_status(pod, containers, named, NOW)


def conditions(status: dict[str, Any]) -> set[str]:
    return {c["type"] for c in status["conditions"] if c["status"] == "True"}


def test_a_fresh_pod_is_pending() -> None:
    status = status_of(POD, ContainerState(), ContainerState())
    assert status["phase"] == "Pending"
    assert conditions(status) == {"PodScheduled"}
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_started_sidecar_lets_the_pod_be_initialized() -> None:
    status = status_of(POD, ready(), ContainerState())
    assert (status["phase"], conditions(status)) == ("Pending", {"PodScheduled", "Initialized"})


def test_a_pod_is_ready_when_all_that_lasts_is_ready() -> None:
    status = status_of(POD, ready(), ready())
    assert status["phase"] == "Running"
    assert is_ready({**POD, "status": status})
    assert not is_ready({**POD, "status": status_of(POD, UP, ready())})


def test_a_pod_that_is_being_deleted_is_not_ready() -> None:
    leaving = {**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-03-01T00:00:00Z"}}
    assert not is_ready({**leaving, "status": status_of(leaving, ready(), ready())})


def test_a_container_that_is_started_again_keeps_its_last_end() -> None:
    state = UP.ended(-9, NOW).waits("CrashLoopBackOff").began(NOW)
    entry = status_of(POD, ready(), state)["containerStatuses"][0]
    assert entry["restartCount"] == 1
    assert entry["lastState"]["terminated"]["exitCode"] == 137
    assert entry["lastState"]["terminated"]["signal"] == 9


ENDS = {"all well": (0, "Succeeded"), "one not": (3, "Failed")}


@pytest.mark.parametrize(("code", "phase"), ENDS.values(), ids=ENDS)
def test_a_pod_that_is_not_restarted_ends(code: int, phase: str) -> None:
    pod = make_pod(restartPolicy="Never")
    assert status_of(pod, UP.ended(code, NOW))["phase"] == phase


def test_a_pod_between_two_starts_is_running() -> None:
    assert status_of(make_pod(), UP.ended(1, NOW))["phase"] == "Running"
    assert status_of(make_pod(), UP.ended(1, NOW).waits("CrashLoopBackOff"))["phase"] == "Running"


def test_a_condition_that_stays_keeps_its_time() -> None:
    before = status_of(POD, ready(), ready())
    containers = read_pod(POD, AROUND).containers
    states = {"daemon": ready(), "runtime": UP}
    after = pod_status({**POD, "status": before}, containers, states, NOW + timedelta(minutes=1))
    times = {c["type"]: c["lastTransitionTime"] for c in after["conditions"]}
    assert times["Initialized"] == "2026-03-01T00:00:00Z"
    assert times["Ready"] == "2026-03-01T00:01:00Z"
    assert after["startTime"] == before["startTime"]


def test_a_pod_that_cannot_run_here_stays_pending_and_says_why() -> None:
    status = refused_status(make_pod(), "no such thing", NOW)
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["message"] == "no such thing"


RESTARTS = {
    "a member's container always": (Role.MAIN, "Always", 0, True),
    "an init container that did its work": (Role.INIT, "Always", 0, False),
    "an init container that failed": (Role.INIT, "Always", 1, True),
    "on failure, after a failure": (Role.MAIN, "OnFailure", 1, True),
    "on failure, after success": (Role.MAIN, "OnFailure", 0, False),
    "never": (Role.MAIN, "Never", 1, False),
}


@pytest.mark.parametrize(("role", "policy", "code", "want"), RESTARTS.values(), ids=RESTARTS)
def test_who_is_started_again(role: Role, policy: str, code: int, want: bool) -> None:
    container = Container("c", "", role, (), {}, None, policy, None, None, None, ())
    assert restarts(container, code) is want


def test_a_pod_whose_processes_ended_unseen_is_not_ready() -> None:
    later = NOW + timedelta(minutes=1)
    before = {**status_of(POD, ready(), ready()), "phase": "Running"}
    changes = fallen_status({**POD, "status": before}, later)
    assert changes is not None
    after = {**POD, "status": {**before, **changes}}
    assert conditions(after["status"]) == {"PodScheduled", "Initialized"}
    for entry in (*after["status"]["initContainerStatuses"], *after["status"]["containerStatuses"]):
        assert (entry["ready"], entry["state"]["terminated"]["exitCode"]) == (False, 137)
        assert entry["state"]["terminated"]["startedAt"] == "2026-03-01T00:00:00Z"
        assert entry["state"]["terminated"]["finishedAt"] == "2026-03-01T00:01:00Z"
    assert fallen_status(after, later) is None, "once said, it is not said again"


def test_what_had_ended_or_never_began_stays_as_it_was_told() -> None:
    done = {**POD, "status": status_of(POD, ready(), UP.ended(0, NOW))}
    fallen = fallen_status(done, NOW)
    assert fallen is not None
    assert fallen["containerStatuses"] == done["status"]["containerStatuses"]
    assert fallen_status(POD, NOW) is None
    refused = {**POD, "status": refused_status(POD, "no such thing", NOW)}
    assert fallen_status(refused, NOW) is None
