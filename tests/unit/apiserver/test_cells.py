"""The cells of a table: what kubectl shows of a Pod, a Deployment and an Event at a glance."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kruntimes_core.dev.apiserver.builtin import BUILTIN
from kruntimes_core.dev.apiserver.cells import cell
from kruntimes_core.dev.apiserver.durations import duration

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
WORDS = {
    0: "0s",
    119: "119s",
    120: "2m",
    330: "5m30s",
    720: "12m",
    11100: "3h5m",
    72000: "20h",
    187200: "2d4h",
    40 * 86400: "40d",
    740 * 86400: "2y10d",
    9 * 365 * 86400: "9y",
}


@pytest.mark.parametrize(("seconds", "want"), WORDS.items(), ids=WORDS.values())
def test_a_duration_is_told_in_the_units_that_matter(seconds: int, want: str) -> None:
    assert duration(seconds) == want


def shown(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    resource = next(each for each in BUILTIN if each.kind == kind)
    return {column.name: cell(column, obj, NOW) for column in resource.columns}


def container(name: str, restarts: int = 0, ready: bool = False, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "started": ready, "restartCount": restarts, "state": state}


def pod(*statuses: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    sidecar = {"name": "daemon", "restartPolicy": "Always"}
    metadata = {"name": "p", "creationTimestamp": "2026-01-02T11:00:00Z"}
    spec = {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "first"}, sidecar]}
    status = {"phase": "Running", "containerStatuses": list(statuses), "initContainerStatuses": list(init)}
    return {"metadata": metadata | more.pop("metadata", {}), "spec": spec, "status": status | more}


RUNNING = {"startedAt": "2026-01-02T11:00:00Z"}
THROUGH = (container("first", terminated={"exitCode": 0}), container("daemon", ready=True, running=RUNNING))
PODS = {
    "an init container at work": (
        pod(init=(container("first", running=RUNNING),), phase="Pending"),
        ("0/3", "Init:0/2", "0"),
    ),
    "an init container that failed": (
        pod(init=(container("first", terminated={"exitCode": 3}),)),
        ("0/3", "Init:ExitCode:3", "0"),
    ),
    "all of it ready": (
        pod(
            container("a", ready=True, running=RUNNING),
            container("b", ready=True, running=RUNNING),
            init=THROUGH,
        ),
        ("3/3", "Running", "0"),
    ),
    "one that falls over again and again": (
        pod(
            container("a", 4, waiting={"reason": "CrashLoopBackOff"})
            | {"lastState": {"terminated": {"finishedAt": "2026-01-02T11:57:30Z"}}},
            container("b", ready=True, running=RUNNING),
            init=THROUGH,
        ),
        ("2/3", "CrashLoopBackOff", "4 (2m30s ago)"),
    ),
    "killed by a signal": (
        pod(container("a", terminated={"exitCode": 137, "signal": 9}), init=THROUGH),
        ("1/3", "Signal:9", "0"),
    ),
    "one done, one at work": (
        pod(
            container("a", terminated={"exitCode": 0, "reason": "Completed"}),
            container("b", ready=True, running=RUNNING),
            init=THROUGH,
        ),
        ("2/3", "NotReady", "0"),
    ),
    "on its way out": (
        pod(init=THROUGH, metadata={"deletionTimestamp": "2026-01-02T11:59:00Z"}),
        ("1/3", "Terminating", "0"),
    ),
}


@pytest.mark.parametrize(("obj", "want"), PODS.values(), ids=PODS.keys())
def test_a_pod_is_summed_up(obj: dict[str, Any], want: tuple[str, str, str]) -> None:
    row = shown("Pod", obj)
    assert (row["Ready"], row["Status"], row["Restarts"]) == want
    assert (row["IP"], row["Node"], row["Readiness Gates"]) == ("<none>", "<none>", "<none>")


def test_an_event_tells_when_it_was_seen_first_and_last() -> None:
    event = {
        "metadata": {"name": "r.1"},
        "involvedObject": {"kind": "Run", "name": "r"},
        "firstTimestamp": "2026-01-02T11:00:00Z",
        "lastTimestamp": "2026-01-02T11:59:00Z",
        "count": 3,
        "message": "No room\n",
        "reportingComponent": "kruntimes-scheduler",
        "reportingInstance": "x",
    }
    row = shown("Event", event)
    assert [row[name] for name in ("Last Seen", "First Seen", "Count", "Object")] == [
        "60s",
        "60m",
        3,
        "run/r",
    ]
    assert (row["Message"], row["Source"]) == ("No room", "kruntimes-scheduler, x")
    series = shown(
        "Event", event | {"series": {"count": 7, "lastObservedTime": "2026-01-02T11:59:50.000000Z"}}
    )
    assert (series["Last Seen"], series["Count"]) == ("10s", 7)


def test_a_deployment_names_its_images_and_selector() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}}
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]}],
    }
    spec = {"replicas": 2, "template": template, "selector": selector}
    row = shown("Deployment", {"metadata": {"name": "web"}, "spec": spec, "status": {"readyReplicas": 1}})
    assert (row["Ready"], row["Containers"], row["Images"]) == ("1/2", "a,b", "a:1,b:1")
    assert row["Selector"] == "app=web,tier in (x,y)"
