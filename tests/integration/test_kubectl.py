"""A current kubectl is at home with the embedded API server: its verbs work, its errors read well."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from tests.integration.apiserver_process import ServerProcess, serving

pytestmark = pytest.mark.integration
SECONDS = 60
RUN = """
apiVersion: kruntimes.io/v1alpha1
kind: Run
metadata: {{name: {name}}}
spec:
  runtime: bash
  source: {{inline: "echo hi"}}
  timeout: 5s
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: a, image: "a:1", env: [{name: X, value: "1"}]}
        - {name: b, image: "b:1"}
"""


class Kubectl:
    """kubectl of the package, with the server's own kubeconfig."""

    def __init__(self, server: ServerProcess, home: Path) -> None:
        self.program = str(Path(sysconfig.get_path("scripts")) / "kubectl")
        self.environment = os.environ | {"KUBECONFIG": str(server.kubeconfig), "HOME": str(home)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.program, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fail(self, *arguments: str, manifest: str = "") -> str:
        """Expect an error; returns what it says."""
        process = self.start(*arguments)
        _, errors = process.communicate(manifest, timeout=SECONDS)
        assert process.returncode != 0
        return errors.strip()

    def __call__(self, *arguments: str, manifest: str = "") -> str:
        """Expect success; returns the output."""
        process = self.start(*arguments)
        output, errors = process.communicate(manifest, timeout=SECONDS)
        assert process.returncode == 0, errors
        return output.strip()


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with serving() as server:
        yield Kubectl(server, tmp_path_factory.mktemp("home"))


def apply_run(kubectl: Kubectl, name: str) -> str:
    return kubectl("apply", "-f", "-", manifest=RUN.format(name=name))


def test_apply_makes_then_leaves_then_changes(kubectl: Kubectl) -> None:
    assert apply_run(kubectl, "applied") == "run.kruntimes.io/applied created"
    assert apply_run(kubectl, "applied") == "run.kruntimes.io/applied unchanged"
    changed = RUN.format(name="applied") + "  priority: 4\n"
    assert kubectl("apply", "-f", "-", manifest=changed) == "run.kruntimes.io/applied configured"
    assert kubectl("get", "rn", "applied", "-o", "jsonpath={.spec.priority}") == "4"


def test_get_shows_the_columns_and_the_whole(kubectl: Kubectl) -> None:
    apply_run(kubectl, "shown")
    head, row = kubectl("get", "run", "shown", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "PHASE", "RUNTIME", "ATTEMPT", "EXIT", "POD", "REASON", "AGE"]
    assert row.split()[:3] == ["shown", "Pending", "bash"]
    whole = kubectl("get", "run", "shown", "-o", "yaml")
    assert "phase: Pending" in whole
    assert "managedFields" not in whole
    assert "shown" in kubectl("get", "kruntimes")
    assert kubectl("get", "runs", "--field-selector", "status.phase=Pending", "-o", "name")


def test_get_watch_follows_a_run(kubectl: Kubectl) -> None:
    apply_run(kubectl, "watched")
    process = kubectl.start("get", "runs", "-w", "--field-selector", "metadata.name=watched")
    lines: Queue[str] = Queue()
    assert process.stdout is not None
    stdout = process.stdout

    def read() -> None:
        for line in stdout:
            lines.put(line)

    reader = Thread(target=read)
    reader.start()
    try:
        assert lines.get(timeout=SECONDS).split()[:2] == ["NAME", "PHASE"]
        assert lines.get(timeout=SECONDS).split()[1] == "Pending"
        patch = '{"status":{"phase":"Succeeded","exitCode":0}}'
        kubectl("patch", "run", "watched", "--subresource=status", "--type=merge", "-p", patch)
        assert lines.get(timeout=SECONDS).split()[1] == "Succeeded"
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)
        reader.join(SECONDS)


def test_wait_returns_when_the_phase_is_there(kubectl: Kubectl) -> None:
    apply_run(kubectl, "waited")
    process = kubectl.start("wait", "run/waited", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    patch = '{"status":{"phase":"Succeeded"}}'
    kubectl("patch", "run", "waited", "--subresource=status", "--type=merge", "-p", patch)
    output, errors = process.communicate(timeout=SECONDS)
    assert (output.strip(), errors) == ("run.kruntimes.io/waited condition met", "")


def test_patch_and_delete(kubectl: Kubectl) -> None:
    apply_run(kubectl, "patched")
    patched = kubectl("patch", "run", "patched", "--type=merge", "-p", '{"spec":{"cancelRequested":true}}')
    assert patched == "run.kruntimes.io/patched patched"
    assert kubectl("delete", "run", "patched").startswith('run.kruntimes.io "patched" deleted')
    assert kubectl.fail("get", "run", "patched") == (
        'Error from server (NotFound): runs.kruntimes.io "patched" not found'
    )


def test_errors_name_the_field(kubectl: Kubectl) -> None:
    apply_run(kubectl, "wrong")
    bad = RUN.format(name="wrong").replace("5s", "0s")
    assert "spec: Invalid value: timeout is immutable" in kubectl.fail("apply", "-f", "-", manifest=bad)
    fresh = RUN.format(name="zero").replace("5s", "0s")
    assert kubectl.fail("apply", "-f", "-", manifest=fresh) == (
        'The Run "zero" is invalid: spec.timeout: Invalid value: "0s": must be longer than zero'
    )
    unknown = RUN.format(name="odd") + "  colour: blue\n"
    assert 'strict decoding error: unknown field "spec.colour"' in kubectl.fail(
        "create", "-f", "-", manifest=unknown
    )
    assert kubectl.fail("create", "-f", "-", manifest=RUN.format(name="wrong")) == (
        'Error from server (AlreadyExists): error when creating "STDIN": '
        'runs.kruntimes.io "wrong" already exists'
    )


def test_a_built_in_kind_is_applied_and_scaled(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", manifest=DEPLOYMENT)
    kubectl("apply", "-f", "-", manifest=DEPLOYMENT.replace('"b:1"', '"b:2"'))
    images = kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
    assert images == "a:1 b:2"
    assert kubectl("scale", "deploy/web", "--replicas=5") == "deployment.apps/web scaled"
    assert kubectl("get", "deploy", "web").splitlines()[1].split()[:2] == ["web", "0/5"]
    kubectl("label", "deploy", "web", "tier=front")
    assert "deployment.apps/web" in kubectl("get", "deploy", "-l", "tier=front", "-o", "name")
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.a}") == "b"
    assert "front" in kubectl("describe", "deploy", "web")


def test_it_finds_its_way_around(kubectl: Kubectl) -> None:
    kinds = kubectl("api-resources", "--no-headers")
    assert {"runs", "pods", "leases"} <= {line.split()[0] for line in kinds.splitlines()}
    assert "default" in kubectl("get", "ns", "-o", "name")
    assert "Runtime in the same namespace" in kubectl("explain", "run.spec.runtime")
    kubectl("create", "ns", "scratch")
    kubectl("create", "secret", "generic", "word", "--from-literal=a=b", "-n", "scratch")
    assert kubectl("get", "secret", "word", "-n", "scratch", "-o", "jsonpath={.data.a}") == "Yg=="
    kubectl("create", "sa", "robot", "-n", "scratch")
    kubectl("delete", "ns", "scratch")


def test_what_only_a_program_can_send_is_answered_with_what_to_do(kubectl: Kubectl) -> None:
    assert "use apply or create -f" in kubectl.fail("create", "deployment", "d", "--image=x")
