"""What a Pod template may not ask for is refused, in every container list, with its path."""

from __future__ import annotations

from typing import Any

import pytest

from kruntimes_core.pools.judge import judge
from kruntimes_core.pools.pool import Pool

RUNTIME = {"name": "runtime", "image": "server:1"}


def make_pool(name: str = "bash", metadata: Any = None, capacity: Any = None, **spec: Any) -> Pool:
    template = {"spec": {"containers": [RUNTIME]} | spec} | ({"metadata": metadata} if metadata else {})
    return Pool("team", name, "uid", "1", template=template, capacity=capacity or {})


def beside(**container: Any) -> dict[str, Any]:
    return {"containers": [RUNTIME, {"name": "other"} | container]}


REFUSED: dict[str, tuple[Pool, str]] = {
    "host network": (make_pool(hostNetwork=True), "spec.template.spec.hostNetwork"),
    "host processes": (make_pool(hostPID=True), "spec.template.spec.hostPID"),
    "host IPC": (make_pool(hostIPC=True), "spec.template.spec.hostIPC"),
    "host files": (
        make_pool(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]),
        "spec.template.spec.volumes[1].hostPath",
    ),
    "a foreign service account": (
        make_pool(serviceAccountName="admin"),
        "spec.template.spec.serviceAccountName",
    ),
    "the old name of that": (make_pool(serviceAccount="admin"), "spec.template.spec.serviceAccount"),
    "the daemon's token": (
        make_pool(
            volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]
        ),
        "spec.template.spec.volumes[0].projected.sources[0].serviceAccountToken",
    ),
    "a mounted token": (
        make_pool(automountServiceAccountToken=True),
        "spec.template.spec.automountServiceAccountToken",
    ),
    "privilege": (
        make_pool(**beside(securityContext={"privileged": True})),
        "spec.template.spec.containers[1].securityContext.privileged",
    ),
    "privilege of an init container": (
        make_pool(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]),
        "spec.template.spec.initContainers[0].securityContext.privileged",
    ),
    "privilege of an ephemeral container": (
        make_pool(ephemeralContainers=[{"name": "e", "securityContext": {"privileged": True}}]),
        "spec.template.spec.ephemeralContainers[0].securityContext.privileged",
    ),
    "a capability": (
        make_pool(**beside(securityContext={"capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]}})),
        "spec.template.spec.containers[1].securityContext.capabilities.add",
    ),
    "an unmasked /proc": (
        make_pool(**beside(securityContext={"procMount": "Unmasked"})),
        "spec.template.spec.containers[1].securityContext.procMount",
    ),
    "a port of the host": (
        make_pool(**beside(ports=[{"containerPort": 80, "hostPort": 80}])),
        "spec.template.spec.containers[1].ports[0].hostPort",
    ),
    "our environment": (
        make_pool(**beside(env=[{"name": "A"}, {"name": "KRUNTIMES_TOKEN_FILE", "value": "/x"}])),
        "spec.template.spec.containers[1].env[1].name",
    ),
    "our volume": (
        make_pool(**beside(volumeMounts=[{"name": "kruntimes-token", "mountPath": "/t"}])),
        "spec.template.spec.containers[1].volumeMounts[0].name",
    ),
    "a mount below our directory": (
        make_pool(**beside(volumeMounts=[{"name": "v", "mountPath": "/run/kruntimes/x"}])),
        "spec.template.spec.containers[1].volumeMounts[0].mountPath",
    ),
    "a mount over our directory": (
        make_pool(**beside(volumeMounts=[{"name": "v", "mountPath": "/run/"}])),
        "spec.template.spec.containers[1].volumeMounts[0].mountPath",
    ),
    "our names": (make_pool(**beside(name="kruntimes-daemon")), "spec.template.spec.containers[1].name"),
    "our labels": (
        make_pool(metadata={"labels": {"kruntimes.io/runtime": "x"}}),
        "spec.template.metadata.labels[kruntimes.io/runtime]",
    ),
    "our annotations": (
        make_pool(metadata={"annotations": {"kruntimes.io/member": "{}"}}),
        "spec.template.metadata.annotations[kruntimes.io/member]",
    ),
    "an annotation for the container runtime": (
        make_pool(metadata={"annotations": {"io.kubernetes.cri-o.Devices": "/dev/sda"}}),
        "spec.template.metadata.annotations[io.kubernetes.cri-o.Devices]",
    ),
    "another first container": (
        make_pool(containers=[{"name": "main"}]),
        "spec.template.spec.containers[0].name",
    ),
    "no container": (make_pool(containers=[]), "spec.template.spec.containers[0].name"),
    "a container that is none": (make_pool(containers=["runtime"]), "spec.template.spec.containers[0]"),
    "a list that is none": (make_pool(volumes={"name": "v"}), "spec.template.spec.volumes"),
    "no time to end": (
        make_pool(terminationGracePeriodSeconds=0),
        "spec.template.spec.terminationGracePeriodSeconds",
    ),
    "a name that is no label": (make_pool(name="a.b"), "metadata.name"),
    "a capacity beyond counting": (make_pool(capacity={"memory": "1e40"}), "spec.capacity.resources"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_where_it_stands(name: str) -> None:
    pool, want = REFUSED[name]
    assert [refusal.path for refusal in judge(pool)] == [want]


ALLOWED: dict[str, Pool] = {
    "the least there can be": make_pool(),
    "its own service account": make_pool(serviceAccountName="kruntimes-bash"),
    "dropped capabilities": make_pool(**beside(securityContext={"capabilities": {"drop": ["ALL"]}})),
    "what is said to be off": make_pool(hostNetwork=False, hostPID=None, **beside(securityContext=None)),
    "volumes and mounts of its own": make_pool(
        volumes=[{"name": "data", "emptyDir": {}}],
        **beside(volumeMounts=[{"name": "data", "mountPath": "/data"}]),
    ),
    "labels and environment of its own": make_pool(
        metadata={"labels": {"app": "x"}, "annotations": {"example.org/a": "b"}},
        **beside(env=[{"name": "KRUNTIMES_LOG_LEVEL", "value": "debug"}]),
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_it_is_allowed(name: str) -> None:
    assert judge(ALLOWED[name]) == []


def test_everything_wrong_is_named_at_once() -> None:
    refusals = judge(make_pool(hostPID=True, hostNetwork=True))
    assert [str(refusal) for refusal in refusals] == [
        "spec.template.spec.hostNetwork: members may not share the host's namespaces",
        "spec.template.spec.hostPID: members may not share the host's namespaces",
    ]
