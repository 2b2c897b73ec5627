"""Builders of Pods and Deployments for the tests of the embedded kubelet and controllers."""

from typing import Any

from kruntimes_core.dev.podspec import Surroundings

AROUND = Surroundings(
    directory=lambda name, memory: f"/{'mem' if memory else 'disk'}/{name}",
    env={"PATH": "/bin"},
    api_env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
    token="the-token",
    ca="the-ca",
    node="here",
)


def make_container(name: str = "runtime", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "an-image", "command": ["serve"], **more}


def make_pod(
    *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a": "b"}},
        "spec": {"containers": list(containers) or [make_container()], "initContainers": list(init), **spec},
    }


def make_deployment(replicas: int = 2, image: str = "one", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [make_container(image=image)]},
    }
    return {
        "metadata": {"name": "d", "namespace": "n", "uid": "du", "generation": 3},
        "spec": {"replicas": replicas, "template": template, **spec},
    }
