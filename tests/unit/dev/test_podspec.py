"""A Pod is read into what to start, and what cannot be had here is said."""

from typing import Any

import pytest

from kruntimes_core.dev.podspec import Role, UnsupportedError, read_pod
from tests.unit.dev.pods import AROUND, make_container, make_pod

RUN_VOLUME = {"name": "run", "emptyDir": {"medium": "Memory"}}
RUN_MOUNT = {"name": "run", "mountPath": "/run/kruntimes"}
TOKEN_VOLUME = {
    "name": "token",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]
    },
}


def test_arguments_and_environment_name_the_real_directories() -> None:
    container = make_container(
        args=["--at", "$(WHERE)"],
        env=[{"name": "WHERE", "value": "unix:///run/kruntimes/x.sock"}],
        volumeMounts=[RUN_MOUNT],
    )
    [read] = read_pod(make_pod(container, volumes=[RUN_VOLUME]), AROUND).containers
    assert read.argv == ("serve", "--at", "unix:///mem/run/x.sock")
    assert read.env == {"PATH": "/bin", "WHERE": "unix:///mem/run/x.sock"}


def test_fields_of_the_pod_come_into_the_environment() -> None:
    paths = ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels['a']", "status.podIP"]
    env = [{"name": p, "valueFrom": {"fieldRef": {"fieldPath": p}}} for p in paths]
    [read] = read_pod(make_pod(make_container(env=env)), AROUND).containers
    assert [read.env[path] for path in paths] == ["p", "n", "u", "b", "127.0.0.1"]


def test_only_a_container_that_mounts_the_token_learns_where_the_api_is() -> None:
    mount = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    pod = make_pod(
        make_container("with", volumeMounts=[mount]), make_container("without"), volumes=[TOKEN_VOLUME]
    )
    spec = read_pod(pod, AROUND)
    with_it, without = spec.containers
    assert with_it.env["KRUNTIMES_SERVICE_ACCOUNT_DIR"] == "/mem/token"
    assert with_it.env["KUBERNETES_SERVICE_PORT"] == "6443"
    assert without.env == {"PATH": "/bin"}
    assert spec.volumes[0].files == (("token", "the-token"), ("ca.crt", "the-ca"), ("ns", "n"))


def test_a_restartable_init_container_is_a_sidecar() -> None:
    init = (make_container("prepare"), make_container("daemon", restartPolicy="Always"))
    spec = read_pod(make_pod(init=init, restartPolicy="Never"), AROUND)
    assert [(c.name, c.role, c.restart) for c in spec.containers] == [
        ("prepare", Role.INIT, "Never"),
        ("daemon", Role.SIDECAR, "Always"),
        ("runtime", Role.MAIN, "Never"),
    ]


def test_probes_and_hooks_are_commands_with_kubernetes_defaults() -> None:
    container = make_container(
        readinessProbe={"exec": {"command": ["ready"]}, "periodSeconds": 2},
        lifecycle={"preStop": {"exec": {"command": ["drain", "/run/kruntimes"]}}},
        volumeMounts=[RUN_MOUNT],
    )
    spec = read_pod(make_pod(container, volumes=[RUN_VOLUME], terminationGracePeriodSeconds=7), AROUND)
    probe = spec.containers[0].readiness
    assert probe is not None
    assert (probe.argv, probe.period, probe.timeout, probe.failures) == (("ready",), 2.0, 1.0, 3)
    assert spec.containers[0].pre_stop == ("drain", "/mem/run")
    assert spec.grace == 7.0


REFUSED = {
    "no command": (make_pod({"name": "c"}), "no command"),
    "a host path": (make_pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "hostPath"),
    "an unknown mount": (make_pod(make_container(volumeMounts=[RUN_MOUNT])), "unknown volume run"),
    "a secret": (
        make_pod(make_container(env=[{"name": "S", "valueFrom": {"secretKeyRef": {}}}])),
        "secretKeyRef",
    ),
    "an HTTP probe": (make_pod(make_container(livenessProbe={"httpGet": {"port": 1}})), "livenessProbe"),
    "an HTTP hook": (make_pod(make_container(lifecycle={"preStop": {"httpGet": {}}})), "preStop"),
    "envFrom": (make_pod(make_container(envFrom=[{}])), "envFrom"),
    "another projection": (
        make_pod(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]),
        "secret",
    ),
}


@pytest.mark.parametrize(("pod", "named"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_offered_is_named(pod: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        read_pod(pod, AROUND)
