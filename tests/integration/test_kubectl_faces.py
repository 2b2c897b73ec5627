"""kubectl shows the embedded API server as it shows a real one, but for what DIFFERENCES lists, with reasons.

The texts in faces/ are a real server's. `make test` holds the embedded server to them; `make test-api` runs
this file against a real one, and so proves that they are what it says.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.apiserver_process import serving
from tests.integration.kubectl_faces import FACES, TEXTS, Kubectl, prepare, shown

pytestmark = pytest.mark.integration
EMBEDDED = "kruntimes_core.dev.apiserver"
IS_REAL = os.environ.get("KRUNTIMES_DEV_APISERVER", EMBEDDED) != EMBEDDED
SERVED = (
    "configmaps|events|namespaces|pods|secrets|serviceaccounts|customresourcedefinitions|deployments|leases|runs|"
    "runtimes|networkpolicies|clusterrolebindings|clusterroles|rolebindings|roles"
)
GROUPS = r"apiextensions|apps|coordination|events|kruntimes|networking|rbac|v1$"


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
    Difference("patch-run-strategic", ", application/apply-patch.yaml", "it has no server-side apply"),
)
# What cannot be compared: a real API server without nodes has no logs to show. The log's own tests judge it.


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with serving() as server:
        kubectl = Kubectl(Path(server.kubeconfig), tmp_path_factory.mktemp("home"))
        prepare(kubectl)
        yield dict(shown(kubectl))


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_that_of_a_real_server(face: str, texts: dict[str, str]) -> None:
    want = (TEXTS / f"{face}.txt").read_text()
    for difference in DIFFERENCES:
        if difference.face == face and not IS_REAL:
            want = difference.taken_from(want)
    assert texts[face] == want


def test_there_is_a_text_for_each_face_and_no_other() -> None:
    assert {path.stem for path in TEXTS.glob("*.txt")} == set(FACES)
    assert {difference.face for difference in DIFFERENCES} <= set(FACES)
