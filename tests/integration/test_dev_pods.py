"""Pods and Deployments on the embedded kubelet: real processes, started, probed, replaced, ended."""

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import kruntimes
import pytest
from kruntimes._wire import MERGE_PATCH, Request, to_json

from kruntimes_core.dev.podstatus import is_ready
from tests.integration.dev_process import Dev, dev_in, eventually, foreground

pytestmark = pytest.mark.integration

PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
FOREVER = "while :; do sleep 0.05; done"
POLITE = f'trap "echo asked to end; exit 0" TERM; {FOREVER}'
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN = {
    "name": "token",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                }
            },
        ]
    },
}

Object = Mapping[str, Any]


class Cluster:
    """A control plane with no members of its own, and what these tests ask of it."""

    def __init__(self, dev: Dev, client: kruntimes.Client) -> None:
        self.dev, self.client = dev, client

    def create(self, path: str, body: Object) -> Object:
        return self.client.ask(Request("POST", path, body=to_json(body)))

    def patch(self, path: str, body: Object) -> Object:
        return self.client.ask(Request("PATCH", path, body=to_json(body), content_type=MERGE_PATCH))

    def get(self, path: str) -> Object:
        return self.client.ask(Request("GET", path))

    def delete(self, path: str) -> None:
        self.client.ask(Request("DELETE", path, body=b"{}"))

    def is_there(self, path: str) -> bool:
        try:
            self.get(path)
        except kruntimes.NotFound:
            return False
        return True

    def pods(self) -> list[Object]:
        return list(self.get(PODS)["items"])

    def ready(self) -> int:
        return sum(is_ready(pod) for pod in self.pods())

    def log(self, pod: Object, container: str) -> str:
        return self.dev.layout.container_log(pod["metadata"]["uid"], container).read_text()

    def running(self, word: str) -> dict[int, str]:
        return {pid: command for pid, command in self.dev.processes().items() if word in command}

    def exactly(self, command: str) -> list[int]:
        return [pid for pid, found in self.dev.processes().items() if found == command]


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        with foreground(dev, "--replicas", "0"):
            yield dev
        assert dev.traces() == []


@pytest.fixture
def cluster(dev: Dev) -> Iterator[Cluster]:
    with dev.client() as client:
        cluster = Cluster(dev, client)
        yield cluster
        for deployment in cluster.get(DEPLOYMENTS)["items"]:
            if deployment["metadata"]["name"] not in ("kruntimes-bash", "kruntimes-python"):
                cluster.delete(f"{DEPLOYMENTS}/{deployment['metadata']['name']}")
        for pod in cluster.pods():
            # With its Deployment it may have gone meanwhile.
            with suppress(kruntimes.NotFound):
                cluster.delete(f"{PODS}/{pod['metadata']['name']}")
        eventually(lambda: cluster.pods() == [], "all Pods are gone")


def make_pod(name: str, script: str, **more: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "none", "command": ["bash", "-c", script]}
    container = {**main, **more.pop("container", {})}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5, **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def make_deployment(name: str, replicas: int, script: str = POLITE) -> dict[str, Any]:
    pod = make_pod("", script)
    template = {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def test_a_pod_runs_and_its_program_sees_what_kubernetes_gives(cluster: Cluster) -> None:
    script = f"echo at $WHERE; ls $WHERE; cat {SERVICE_ACCOUNT}/namespace; echo; {POLITE}"
    mounts = [{"name": "run", "mountPath": "/run/x"}, {"name": "token", "mountPath": SERVICE_ACCOUNT}]
    container = {"env": [{"name": "WHERE", "value": "/run/x"}], "volumeMounts": mounts}
    volumes = [{"name": "run", "emptyDir": {"medium": "Memory"}}, TOKEN]
    account = {"serviceAccountName": "default"}
    pod = cluster.create(PODS, make_pod("sees", script, volumes=volumes, container=container, **account))
    eventually(lambda: cluster.ready() == 1, "the Pod is ready")
    where = cluster.dev.layout.volume(pod["metadata"]["uid"], "run", memory=True)
    eventually(lambda: "default" in cluster.log(pod, "main"), "the program has told")
    assert cluster.log(pod, "main").splitlines()[0] == f"at {where}"


def test_sidecars_start_first_and_end_last(cluster: Cluster) -> None:
    mounts = [{"name": "run", "mountPath": "/run/x"}]
    sidecar = {
        "name": "side",
        "image": "none",
        "restartPolicy": "Always",
        "command": [
            "bash",
            "-c",
            f"echo side >> /run/x/order; trap 'exit 0' TERM; touch /run/x/up; {FOREVER}",
        ],
        "startupProbe": {
            "exec": {"command": ["test", "-e", "/run/x/up"]},
            "periodSeconds": 1,
            "failureThreshold": 30,
        },
        "lifecycle": {"preStop": {"exec": {"command": ["bash", "-c", "echo hook"]}}},
        "volumeMounts": mounts,
    }
    script = f'cat /run/x/order; trap "echo main ended; exit 0" TERM; {FOREVER}'
    pod = make_pod(
        "ordered",
        script,
        initContainers=[sidecar],
        volumes=[{"name": "run", "emptyDir": {}}],
        container={"volumeMounts": mounts},
    )
    pod = dict(cluster.create(PODS, pod))
    eventually(lambda: cluster.ready() == 1, "the Pod is ready")
    eventually(lambda: cluster.log(pod, "main") == "side\n", "the sidecar was first")
    log = cluster.dev.layout.container_log(pod["metadata"]["uid"], "side")
    with log.open() as side:
        cluster.delete(f"{PODS}/ordered")
        eventually(lambda: not cluster.is_there(f"{PODS}/ordered"), "the Pod is gone")
        assert side.read() == "hook\n"
    assert not cluster.dev.layout.pod(pod["metadata"]["uid"]).exists()


def test_a_killed_container_is_started_again_with_all_it_had_started_gone(cluster: Cluster) -> None:
    cluster.create(PODS, make_pod("again", f"setsid sleep 4711 & {FOREVER}"))
    eventually(lambda: len(cluster.exactly("sleep 4711")) == 1, "the background program runs")
    [old] = cluster.exactly("sleep 4711")
    [pid] = [pid for pid, command in cluster.running("4711 &").items() if command.startswith("bash")]
    os.kill(pid, signal.SIGKILL)

    def restarted() -> bool:
        status = cluster.get(f"{PODS}/again")["status"]["containerStatuses"][0]
        return bool(status["restartCount"] == 1 and status["lastState"]["terminated"]["exitCode"] != 0)

    eventually(restarted, "the status tells of the restart")
    eventually(lambda: len(cluster.exactly("sleep 4711")) == 1, "only the new background program runs")
    assert old not in cluster.exactly("sleep 4711")


def test_a_program_that_keeps_failing_waits(cluster: Cluster) -> None:
    cluster.create(PODS, make_pod("fails", "exit 3"))

    def waits() -> bool:
        state = (cluster.get(f"{PODS}/fails").get("status") or {}).get("containerStatuses", [{}])[0]
        return bool((state.get("state") or {}).get("waiting", {}).get("reason") == "CrashLoopBackOff")

    eventually(waits, "it waits for its next start")


def test_a_pod_that_is_not_restarted_ends(cluster: Cluster) -> None:
    cluster.create(PODS, make_pod("well", "exit 0", restartPolicy="Never"))
    cluster.create(PODS, make_pod("badly", "exit 3", restartPolicy="Never"))
    wanted = {"well": "Succeeded", "badly": "Failed"}
    eventually(
        lambda: {pod["metadata"]["name"]: pod["status"].get("phase") for pod in cluster.pods()} == wanted,
        "both have ended",
    )


def test_a_program_that_is_not_there_is_told(cluster: Cluster) -> None:
    cluster.create(PODS, make_pod("missing", "", container={"command": ["no-such-program"]}))
    eventually(lambda: "no-such-program" in str(cluster.get(f"{PODS}/missing")), "the status names it")


def test_what_is_not_offered_is_told_and_can_be_deleted(cluster: Cluster) -> None:
    cluster.create(PODS, make_pod("odd", FOREVER, volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
    eventually(lambda: "hostPath" in str(cluster.get(f"{PODS}/odd").get("status")), "the status tells")


def test_readiness_follows_its_probe(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["test", "-e", "/run/x/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"readinessProbe": probe, "volumeMounts": [{"name": "run", "mountPath": "/run/x"}]}
    pod = cluster.create(
        PODS, make_pod("probed", POLITE, volumes=[{"name": "run", "emptyDir": {}}], container=container)
    )
    mark = cluster.dev.layout.volume(pod["metadata"]["uid"], "run", memory=False) / "ok"
    eventually(lambda: cluster.get(f"{PODS}/probed")["status"].get("phase") == "Running", "it runs")
    assert cluster.ready() == 0
    mark.touch()
    eventually(lambda: cluster.ready() == 1, "it is ready")
    mark.unlink()
    eventually(lambda: cluster.ready() == 0, "it is no longer ready")


def test_a_deployment_grows_shrinks_and_replaces_its_pods(cluster: Cluster) -> None:
    cluster.create(DEPLOYMENTS, make_deployment("d", 2))
    path = f"{DEPLOYMENTS}/d"
    eventually(lambda: (cluster.get(path).get("status") or {}).get("readyReplicas") == 2, "two are ready")
    first = {pod["metadata"]["uid"] for pod in cluster.pods()}
    cluster.patch(path, {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})

    def replaced() -> bool:
        pods = cluster.pods()
        return (
            len(pods) == 2 and cluster.ready() == 2 and not first & {pod["metadata"]["uid"] for pod in pods}
        )

    eventually(replaced, "both are replaced")
    cluster.patch(path, {"spec": {"replicas": 1}})
    eventually(lambda: len(cluster.pods()) == 1, "one is left")
    cluster.patch(path, {"spec": {"replicas": 3}})
    eventually(lambda: cluster.ready() == 3, "three are ready")


def test_what_a_deleted_owner_had_is_deleted_with_its_processes(cluster: Cluster) -> None:
    cluster.create(DEPLOYMENTS, make_deployment("owner", 2, f"exec -a mine-4712 bash -c '{FOREVER}'"))
    eventually(lambda: len(cluster.running("mine-4712")) >= 2, "both run")
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [owner_of(cluster.get(f"{DEPLOYMENTS}/owner"))]},
    }
    cluster.create("/api/v1/namespaces/default/configmaps", owned)
    cluster.delete(f"{DEPLOYMENTS}/owner")
    eventually(lambda: cluster.pods() == [], "the Pods are gone")
    eventually(lambda: not cluster.is_there("/api/v1/namespaces/default/configmaps/owned"), "so is the rest")
    assert cluster.running("mine-4712") == {}


def owner_of(found: Object) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": found["metadata"]["name"],
        "uid": found["metadata"]["uid"],
    }
