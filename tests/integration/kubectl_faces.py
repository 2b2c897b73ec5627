"""What kubectl shows of a server, made comparable: the commands, the objects they show, what is made equal.

`python -m tests.integration.kubectl_faces KUBECONFIG` writes the texts in faces/ anew, from the server that
the kubeconfig names: a real one. It judges nothing.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEXTS = Path(__file__).parent / "faces"
NAMESPACE = "faces"
SECONDS = 60
# What KUBE_EDITOR does to whatever it is given.
EDITOR = "sed -i -e s/dark$/light/ -e s/front$/back/"
MERGE = ("--type=merge", "--subresource=status", "-p")

# Each row is a command, and the name of the text that shows what it prints.
FACES = {
    "get-all": "get all",
    "get-runs-wide": "get runs -o wide",
    "get-runs-labels": "get runs --show-labels -L team",
    "get-runs-sorted": "get runs --sort-by=.metadata.name -o custom-columns=N:.metadata.name,P:.status.phase",
    "get-runtimes-wide": "get runtimes -o wide",
    "get-pods-wide": "get pods -o wide",
    "get-deployments-wide": "get deployments -o wide",
    "get-events": "get events",
    "get-events-wide": "get events -o wide",
    "get-events-of-the-other-group": "get events.events.k8s.io -o wide",
    "get-events-by-field": "get events --field-selector involvedObject.kind=Run,type=Normal",
    "get-plain-kinds": "get lease,configmap,secret,serviceaccount,role,rolebinding,networkpolicy -o wide",
    "get-namespace": "get namespace faces",
    "get-definitions": "get crd runs.kruntimes.io runtimes.kruntimes.io",
    "get-yaml-of-a-run": "get run ended -o yaml",
    "get-yaml-of-a-pod": "get pod member -o yaml",
    "get-yaml-of-a-deployment": "get deployment web -o yaml",
    "get-yaml-of-events": "get events -o yaml",
    "get-yaml-of-events-of-the-other-group": "get events.events.k8s.io -o yaml",
    "events": "events",
    "events-of-warnings": "events --types=Warning",
    "events-for-a-run": "events --for run/fresh",
    "describe-run": "describe run fresh",
    "describe-ended-run": "describe run ended",
    "describe-runtime": "describe runtime bash",
    "describe-pod": "describe pod member",
    "describe-waiting-pod": "describe pod waits",
    "describe-deployment": "describe deployment web",
    "describe-namespace": "describe namespace faces",
    "describe-others": "describe lease,configmap,secret,serviceaccount,role,rolebinding,networkpolicy",
    "explain-run": "explain run",
    "explain-run-source": "explain run.spec.source",
    "explain-run-retries": "explain run.spec.retryPolicy",
    "explain-runtime": "explain runtime",
    "explain-runtime-template": "explain runtime.spec.template",
    "explain-pod": "explain pod",
    "explain-pod-container": "explain pod.spec.containers",
    "explain-deployment-spec": "explain deployment.spec",
    "explain-event": "explain event",
    "explain-lease-spec": "explain lease.spec",
    "explain-metadata": "explain run.metadata",
    "api-resources": "api-resources",
    "api-resources-wide": "api-resources -o wide --api-group=kruntimes.io",
    "api-versions": "api-versions",
    "patch-run-strategic": 'patch run fresh -p {"spec":{"priority":1}}',
    "patch-pod-strategic": "patch pod member --dry-run=server -o jsonpath={.spec.containers[*].image} "
    '-p {"spec":{"containers":[{"name":"runtime","image":"bash:2"}]}}',
    "wait": "wait run/ended --for=jsonpath={.status.phase}=Succeeded --timeout=10s",
    "wait-in-vain": "wait run/fresh --for=jsonpath={.status.phase}=Succeeded --timeout=1s",
    "wait-for-a-condition": "wait runtime/bash --for=condition=Ready --timeout=10s",
    "rollout-status": "rollout status deployment/web --timeout=10s",
    "label": "label run fresh shade=dark",
    "edit": "edit run fresh",
    "edit-built-in": "edit deployment web",
    "edit-nothing": "edit run ended",
    "annotate": "annotate run fresh example.org/note=seen",
    "scale-runtime": "scale runtime bash --replicas=3",
    "scale-deployment": "scale deployment web --replicas=3",
    "set-image": "set image deployment/web a=a:9",
    "rollout-restart": "rollout restart deployment/web",
    "refused-label": "label pod member bad/label/x=1",
    "refused-name": "create namespace Bad_Name",
    "refused-replicas": "patch deployment web --type=json "
    '-p [{"op":"replace","path":"/spec/replicas","value":-1}]',
    "refused-selector": "get pods --field-selector spec.foo=here",
    "unknown-field-in-a-patch": 'patch run ended --type=merge -p {"spec":{"runtme":"other"}}',
    "delete": "delete run fresh",
    "delete-pod-by-force": "delete pod waits --grace-period=0 --force",
    "delete-all": "delete runtimes --all",
    "unknown-run": "get run nobody",
    "unknown-kind": "get boats",
    "unknown-field": "explain run.spec.colour",
}

# Explanations that follow the CRDs word for word: compared where both servers are there, and never recorded.
OF_OUR_KINDS = (
    "explain run.spec",
    "explain run.status",
    "explain run.spec --recursive",
    "explain run.status --recursive",
    "explain runtime.spec",
    "explain runtime.spec --recursive",
)
# What the embedded server cannot do, and why.
UNSERVED = {
    "rollout history deployment/web": "its Deployment controller makes Pods without ReplicaSets between",
    "autoscale deployment web --max=3": "nothing here would scale anything: there are no metrics",
    "create token robot": "it has one user, and service accounts have no tokens of their own",
    "auth can-i create runs": "its one user may do everything, and there are no rights to ask for",
    "auth whoami": "as above",
    "create deployment made --image=x": "kubectl sends it in Protobuf; it says to use apply or create -f",
    "apply --server-side -f -": "it keeps no managed fields",
}

STATUSES = {
    ("run", "ended"): """{"phase": "Succeeded", "attempt": 1, "exitCode": 0, "assignedPod": "member",
      "startTime": "2020-01-01T00:00:00.5Z", "outputs": {"answer": "42"},
      "output": {"stdout": {"bytes": 3, "truncated": false, "tail": "hi\\n"}}}""",
    ("runtime", "bash"): """{"replicas": 2, "readyReplicas": 2, "capacity": {"runs": 8}, "conditions": [
      {"type": "Ready", "status": "True", "reason": "MembersReady", "message": "2 of 2 members ready"}]}""",
    ("pod", "member"): """{"phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}],
      "startTime": "2020-01-01T00:00:00Z",
      "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"}],
      "initContainerStatuses": [{"name": "daemon", "ready": true, "started": true, "restartCount": 0,
        "image": "daemon:1", "imageID": "", "state": {"running": {"startedAt": "2020-01-01T00:00:01Z"}}}],
      "containerStatuses": [{"name": "runtime", "ready": false, "started": false, "restartCount": 2,
        "image": "bash:1", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error",
          "startedAt": "2020-01-01T00:00:02Z", "finishedAt": "2020-01-01T00:00:03Z"}}}]}""",
    (
        "deployment",
        "web",
    ): """{"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
      "availableReplicas": 3, "conditions": [{"type": "Available", "status": "True",
        "reason": "MinimumReplicasAvailable", "message": "enough",
        "lastTransitionTime": "2020-01-01T00:00:00Z", "lastUpdateTime": "2020-01-01T00:00:00Z"}]}""",
}

# What differs from one moment to the next, and what stands for it.
_EQUAL = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", "<time>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", "<time>"),
    (r"(resourceVersion: |Resource Version:\s+)\"?\d+\"?", r"\1<version>"),
    (r"(?<=\S) {2,}", "  "),  # the width of a column follows what is in it
    (r"(?<=[ (])(?<!: )(?<!:  )(?<!for )(\d+[ydhms])+(?= ago|  |\)|$| \(x)", "<age>"),
    (r" +$", ""),
)


def made_equal(text: str) -> str:
    """The text without what no two servers, or no two moments, have in common."""
    for pattern, stand_in in _EQUAL:
        text = re.sub(pattern, stand_in, text, flags=re.MULTILINE)
    return text.strip() + "\n"


def without_their_words(command: str, text: str) -> str:
    """An explanation without what Kubernetes says of its own fields: those sentences are not ours to keep."""
    if not command.startswith("explain"):
        return text
    ours = command.split()[1].partition(".")[0] in ("run", "runtime") and "metadata" not in command
    kept, theirs = [], not ours
    for line in text.splitlines():
        if line.startswith("  ") and not line.startswith("    "):
            theirs = not ours or line.split()[0] in ("apiVersion", "kind", "metadata")
        if "\t<" in line or not (theirs and (line.startswith("    ") or not line)):
            kept.append(line)
    return "\n".join(kept) + "\n"


class Kubectl:
    """kubectl of the package, in the namespace of the faces."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self._program = str(Path(sysconfig.get_path("scripts")) / "kubectl")
        self._env = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(home),
            "KUBE_EDITOR": EDITOR,
        }

    def __call__(self, *arguments: str, manifest: str = "") -> str:
        """All that it says, errors too."""
        done = subprocess.run(
            [self._program, "--namespace", NAMESPACE, *arguments],
            env=self._env,
            input=manifest,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        return done.stdout


def prepare(kubectl: Kubectl) -> None:
    """Make the objects that the faces show."""
    kubectl("create", "namespace", NAMESPACE)
    things, _, events = (TEXTS / "objects.yaml").read_text().partition("---\napiVersion: v1\nkind: Event")
    said = kubectl("apply", "-f", "-", manifest=things)
    assert "rror" not in said, said
    for (kind, name), status in STATUSES.items():
        said = kubectl("patch", kind, name, *MERGE, f'{{"status": {status}}}')
        assert said.endswith("patched\n"), said
    events = "apiVersion: v1\nkind: Event" + events
    for kind, name in (("run", "fresh"), ("pod", "member")):
        events = events.replace(f"${name}", kubectl("get", kind, name, "-o", "jsonpath={.metadata.uid}"))
    said = kubectl("create", "-f", "-", manifest=events)
    assert said.count("created") == 2, said


def answered(kubectl: Kubectl, command: str) -> str:
    """What a command says now."""
    return without_their_words(command, made_equal(kubectl(*command.split(" "))))


def shown(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Each face as the server shows it now: its name and its text."""
    for name, command in FACES.items():
        yield name, f"$ kubectl {command}\n{answered(kubectl, command)}"


def main() -> None:
    """Write the texts anew."""
    with tempfile.TemporaryDirectory() as home:
        kubectl = Kubectl(Path(sys.argv[1]), Path(home))
        prepare(kubectl)
        for name, text in shown(kubectl):
            (TEXTS / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
