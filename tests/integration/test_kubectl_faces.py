"""kubectl shows the embedded API server as it shows a real one, but for what DIFFERENCES lists, with reasons.

The texts in faces/ are a real server's. `make test` holds the embedded server to them; `make test-api` runs
this file against a real one, and so proves that they are what it says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kruntimes_core.dev.crds import load_crds
from tests.integration.apiserver_process import EMBEDDED, is_real, serving, serving_alone
from tests.integration.kubectl_faces import (
    FACES,
    OF_OUR_KINDS,
    TEXTS,
    UNSERVED,
    Kubectl,
    answered,
    prepare,
    shown,
)

pytestmark = pytest.mark.integration
SERVED = (
    "configmaps|events|namespaces|pods|secrets|serviceaccounts|customresourcedefinitions|deployments|leases|runs|"
    "runtimes|networkpolicies|clusterrolebindings|clusterroles|rolebindings|roles"
)
GROUPS = r"apiextensions|apps|coordination|events|kruntimes|networking|rbac|v1$"


CONFIG_MAP = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}}'


@dataclass(frozen=True)
class Difference:
    """Lines of a real server's text that the embedded server lacks, or words it has none of."""

    face: str
    lacks: str
    why: str

    def taken_from(self, text: str) -> str:
        """What is left; there must have been something."""
        left, count = re.subn(self.lacks, "", text, flags=re.MULTILINE)
        assert count, f"{self.face}: a real server shows nothing of {self.lacks!r} any more"
        return left


def lines(pattern: str) -> str:
    """Whole lines that begin with any of these."""
    return rf"^ *({pattern}).*\n"


FEWER = "it serves the kinds that this project needs, and no others"
MAIN = (
    "its schemas of built-in kinds hold the fields that matter here, in words of our own; Kubernetes has more"
)
DIFFERENCES = (
    Difference("api-resources", rf"^(?!\$|NAME|({SERVED}) ).*\n", FEWER),
    Difference("api-versions", rf"^(?!\$|{GROUPS}).*\n", FEWER),
    Difference("explain-lease-spec", lines("preferredHolder|strategy"), MAIN),
    Difference("explain-metadata", lines("managedFields|selfLink"), MAIN),
    Difference(
        "explain-pod-container",
        lines("envFrom|enum:|resizePolicy|restartPolicyRules|stdinOnce|terminationMessage|volumeDevices"),
        MAIN,
    ),
    Difference(
        "get-yaml-of-a-pod",
        r"^    lastState: \{\}\n|lastProbeTime: null\n *lastTransitionTime: null\n *(?=status)",
        "it keeps a status as it was written, and adds no empty fields to it",
    ),
    Difference(
        "describe-namespace",
        r"\nNo resource quota.\n\nNo LimitRange resource.\n",
        "there are neither quotas nor limit ranges",
    ),
    Difference("patch-run-strategic", ", application/apply-patch.yaml", "it has no server-side apply"),
)
# What cannot be compared: a real API server without nodes has no logs to show. The log's own tests judge it.


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with serving() as server:
        kubectl = Kubectl(Path(server.kubeconfig), tmp_path_factory.mktemp("home"))
        prepare(kubectl)
        yield kubectl


@pytest.fixture(scope="module")
def texts(kubectl: Kubectl) -> dict[str, str]:
    return dict(shown(kubectl))


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_that_of_a_real_server(face: str, texts: dict[str, str]) -> None:
    want = (TEXTS / f"{face}.txt").read_text()
    for difference in DIFFERENCES:
        if difference.face == face and not is_real():
            want = difference.taken_from(want)
    assert texts[face] == want


def test_there_is_a_text_for_each_face_and_no_other() -> None:
    assert {path.stem for path in TEXTS.glob("*.txt")} == set(FACES)
    assert {difference.face for difference in DIFFERENCES} <= set(FACES)


def test_what_cannot_be_done_is_listed(kubectl: Kubectl, texts: dict[str, str]) -> None:
    lacking = []
    for command in UNSERVED:
        said = kubectl(*command.split(" "), manifest=CONFIG_MAP)
        lacking += [command] if re.search(r"^error|rror from server", said, re.MULTILINE) else []
    assert lacking == ([] if is_real() else list(UNSERVED))


def test_every_field_of_our_kinds_is_explained(kubectl: Kubectl) -> None:
    for crd in load_crds(None):
        kind, schema = crd["spec"]["names"]["singular"], crd["spec"]["versions"][0]["schema"]
        for part in ("spec", "status"):
            text = answered(kubectl, f"explain {kind}.{part}")
            fields = schema["openAPIV3Schema"]["properties"][part]["properties"]
            assert set(re.findall(r"^  (\w+)\t<", text, re.MULTILINE)) == set(fields)


if is_real():

    @pytest.fixture(scope="module")
    def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
        with serving_alone(EMBEDDED) as server:
            yield Kubectl(Path(server.kubeconfig), tmp_path_factory.mktemp("home"))

    @pytest.mark.parametrize("command", OF_OUR_KINDS)
    def test_our_kinds_are_explained_alike(command: str, kubectl: Kubectl, embedded: Kubectl) -> None:
        assert answered(embedded, command) == answered(kubectl, command)
