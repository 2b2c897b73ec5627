"""The Deployment of a pool: what is added to the template, and when it is written again."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from kruntimes_core.pools.pool import read_pool
from kruntimes_core.pools.render import differs, is_owned, merged, render_deployment, render_service_account

RUNTIME: dict[str, Any] = {
    "metadata": {"name": "bash", "namespace": "team", "uid": "u-1", "resourceVersion": "5", "generation": 2},
    "spec": {
        "replicas": 3,
        "capacity": {"resources": {"runs": 4, "example.org/gpu": "2"}},
        "server": {"config": {"shell": "/bin/bash"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {
                "terminationGracePeriodSeconds": 20,
                "securityContext": {"runAsUser": 1000},
                "volumes": [{"name": "data", "emptyDir": {}}],
                "initContainers": [{"name": "prepare"}],
                "containers": [
                    {
                        "name": "runtime",
                        "image": "server:1",
                        "env": [{"name": "OWN", "value": "1"}],
                        "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
                    },
                    {"name": "other"},
                ],
            },
        },
    },
}


def rendered(runtime: dict[str, Any] = RUNTIME) -> dict[str, Any]:
    return render_deployment(read_pool(runtime), "daemon:1")


def env_of(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_it_belongs_to_its_runtime() -> None:
    deployment = rendered()
    assert deployment["metadata"]["name"] == "kruntimes-bash"
    assert is_owned(deployment, read_pool(RUNTIME))
    assert is_owned(render_service_account(read_pool(RUNTIME)), read_pool(RUNTIME))
    assert not is_owned({"metadata": {"name": "kruntimes-bash"}}, read_pool(RUNTIME))
    labels = {"kruntimes.io/runtime": "bash"}
    assert deployment["spec"]["selector"] == {"matchLabels": labels}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "x"} | labels


def test_the_daemon_starts_first_and_alone_holds_the_token() -> None:
    spec = rendered()["spec"]["template"]["spec"]
    daemon, prepare = spec["initContainers"]
    runtime, other = spec["containers"]
    assert (daemon["name"], daemon["restartPolicy"], prepare["name"]) == (
        "kruntimes-daemon",
        "Always",
        "prepare",
    )
    assert daemon["command"] == ["python", "-m", "kruntimes_core.apps.daemon"]
    assert daemon["lifecycle"]["preStop"]["exec"]["command"][-1] == "drain"
    mounts = {mount["name"] for mount in daemon["volumeMounts"]}
    assert mounts == {"kruntimes-run", "kruntimes-workspaces", "kruntimes-token"}
    assert {mount["name"] for mount in runtime["volumeMounts"]} == mounts - {"kruntimes-token"}
    assert "volumeMounts" not in other
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["volumes"][0]["name"] == "data"


def test_capacity_comes_from_the_runtime_and_then_from_the_containers_limits() -> None:
    daemon = rendered()["spec"]["template"]["spec"]["initContainers"][0]
    want = {"runs": 4, "example.org/gpu": 2, "cpu": 1500, "memory": 1 << 30}
    assert json.loads(env_of(daemon)["KRUNTIMES_CAPACITY"]) == want
    assert json.loads(env_of(daemon)["KRUNTIMES_SERVER_CONFIG"]) == {"shell": "/bin/bash"}


def test_the_template_keeps_what_is_its_own() -> None:
    spec = rendered()["spec"]["template"]["spec"]
    runtime = spec["containers"][0]
    assert env_of(runtime)["OWN"] == "1"
    assert env_of(runtime)["KRUNTIMES_TERMINATION_GRACE_SECONDS"] == "20"
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert runtime["resources"] == {"limits": {"cpu": "1500m", "memory": "1Gi"}}


def test_no_environment_name_is_given_twice() -> None:
    for kind in ("initContainers", "containers"):
        for container in rendered()["spec"]["template"]["spec"][kind]:
            names = [entry["name"] for entry in container.get("env", ())]
            assert len(names) == len(set(names))


def test_rendering_leaves_the_runtime_as_it_was() -> None:
    before = deepcopy(RUNTIME)
    rendered()
    assert before == RUNTIME


def test_only_what_we_asked_for_makes_it_differ() -> None:
    stored = rendered()
    stored["spec"]["template"]["spec"]["schedulerName"] = "default-scheduler"
    stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    assert not differs(stored, rendered())
    assert differs(stored | {"spec": stored["spec"] | {"replicas": 1}}, rendered())
    changed = deepcopy(RUNTIME)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "server:2"
    assert differs(stored, rendered(changed))
    assert differs({"metadata": {}, "spec": stored["spec"]}, rendered())


def test_writing_again_keeps_what_others_noted() -> None:
    stored = rendered() | {"status": {"replicas": 3}}
    stored["metadata"] |= {"resourceVersion": "9", "uid": "d-1"}
    stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    written = merged(stored, rendered())
    assert written["metadata"]["resourceVersion"] == "9"
    assert written["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert written["spec"] == rendered()["spec"]
