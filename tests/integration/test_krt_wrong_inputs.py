"""Wrong inputs to krt: each is answered in one or two lines that say what is wrong and what to do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.apiserver_process import serving
from tests.integration.dev_process import KRT

pytestmark = [pytest.mark.integration]

KIB = 1024


@dataclass(frozen=True)
class Desk:
    """A directory with files to name wrongly, and a kubeconfig of a server that nobody schedules on."""

    home: Path

    def __call__(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": "right"}
        if argv[0] == "nowhere":
            argv = argv[1:]
            del environment["KUBECONFIG"]
        return subprocess.run(
            [*KRT, *argv],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    for name, size in (("program.sh", 300 * KIB), ("large", 1100 * KIB), ("long-stdin", 65 * KIB)):
        (home / name).write_text("a" * size)
    (home / "binary").write_bytes(bytes(range(256)))
    (home / "directory").mkdir()
    (home / "broken.yaml").write_text("a: [")
    (home / "no-object.yaml").write_text("a: b")
    with serving() as server:
        config = yaml.safe_load(server.kubeconfig.read_text())
        (home / "right").write_text(yaml.safe_dump(config))
        (home / "no-token").write_text(yaml.safe_dump(config | {"users": _strangers(config)}))
        down = [
            {**item, "cluster": {**item["cluster"], "server": "https://127.0.0.1:1"}}
            for item in config["clusters"]
        ]
        (home / "down").write_text(yaml.safe_dump(config | {"clusters": down}))
        yield Desk(home)


def _strangers(config: dict[str, list[dict[str, str]]]) -> list[dict[str, object]]:
    return [{"name": user["name"], "user": {"token": "nobody's"}} for user in config["users"]]


# What is typed, the exit code, what is wrong, and what to do.
WRONG: dict[str, tuple[str, int, str, str]] = {
    "an unknown verb": ("gett runs", 2, "'gett' is no verb", "did you mean get?"),
    "no verb": ("-n default", 2, "which verb?", "krt --help"),
    "an unknown option": ("run --tiemout 3s -- true", 2, "no option --tiemout", "did you mean --timeout?"),
    "an argument too many": ("version now", 2, "no argument now", "krt version --help"),
    "nothing to run": ("run", 125, "nothing to run", "name a FILE, or put a command line after --"),
    "a duration in words": (
        "run --timeout soon -- true",
        125,
        "spec.timeout",
        "such as 1.5s, 500ms or 2m30s",
    ),
    "a duration of zero": ("run --timeout 0s -- true", 125, "longer than zero", "such as 1.5s"),
    "a quantity in words": ("run --cpu lots -- true", 125, "spec.resources.limits.cpu", "--cpu 0.5 or 500m"),
    "a quantity below zero": (
        "run --memory=-5 -- true",
        125,
        "spec.resources.limits.memory",
        "--memory 128Mi",
    ),
    "a file that is not there": (
        "run nofile.sh",
        125,
        "nofile.sh: No such file",
        "see that the path is right",
    ),
    "a directory as the program": ("run directory", 125, "directory: Is a directory", "name a file in it"),
    "a binary as the program": ("run binary", 125, "binary is not text", "take it along with --file"),
    "a program too large": ("run program.sh", 125, "spec.source.inline", "at most 256 KiB"),
    "a file too large": ("run --file large -- true", 125, "spec.files[0].text", "at most 1 MiB"),
    "a file outside the workspace": (
        "run --file right=../up -- true",
        125,
        "without . or ..",
        "inside the workspace",
    ),
    "a binary as standard input": (
        "run --stdin binary -- cat",
        125,
        "binary is not text",
        "take it along with --file",
    ),
    "standard input too large": ("run --stdin long-stdin -- cat", 125, "spec.stdin", "at most 64 KiB"),
    "a variable without a value": ("run --env A -- true", 125, "--env A", "NAME=VALUE"),
    "a variable that is no name": ("run --env 1A=b -- true", 125, "spec.env[0].name", "begins with no digit"),
    "a parameter that is no JSON": ("run --param a=b -- true", 125, "not JSON", "a text needs quotes"),
    "a priority in words": ("run --priority high -- true", 2, "--priority", "krt run --help"),
    "too many tries": ("run --retry 99 -- true", 125, "maxAttempts", "from 0 to 9"),
    "a name in capitals": ("run --name Mine -- true", 125, "metadata.name", "lower case letters"),
    "a name that is taken": (
        "run --detach --name there -- true",
        125,
        '"there" already exists',
        "another --name",
    ),
    "a form that there is not": ("get runs -o jsn", 2, "invalid choice: 'jsn'", "json"),
    "a selector without sense": ("get runs -l =a=", 1, "selector", "-l NAME=VALUE"),
    "a kind of others": ("get pods", 1, '"pods" not found', "kubectl shows every other kind"),
    "no such Run": ("why nobody", 1, '"nobody" not found', "krt get runs"),
    "no such Runtime": ("top nobody", 1, "no Runtime nobody", "krt get runtimes"),
    "no such namespace": ("run -n nobody -- true", 125, '"nobody" not found', "kubectl get namespaces"),
    "a look into no such namespace": (
        "get runs -n nobody",
        1,
        '"nobody" not found',
        "kubectl get namespaces",
    ),
    "several watched by name": ("get run a b -w", 1, "not several by name", "leave the names away"),
    "pools by a label": ("get pools -l a=b", 1, "pools are shown with", "krt top"),
    "a wait in words": ("wait there --timeout soon", 2, "'soon' is not a time", "1.5s or 2m30s"),
    "nothing to delete": ("delete runs", 1, "which one?", "krt delete runs NAME"),
    "a manifest that is no YAML": ("apply -f broken.yaml", 1, "broken.yaml is not YAML", "mend it"),
    "a manifest without an object": (
        "apply -f no-object.yaml",
        1,
        "no-object.yaml",
        "needs apiVersion, kind",
    ),
    "no cluster configured": ("nowhere get runs", 1, "no cluster to talk to", "krt dev up"),
    "no such kubeconfig": ("get runs --kubeconfig none", 1, "cannot read the kubeconfig", "krt dev up"),
    "a kubeconfig that is none": ("get runs --kubeconfig large", 1, "large: not a kubeconfig", "krt dev up"),
    "no such context": ("get runs --context other", 1, "no context named 'other'", "it has: "),
    "a server that is down": ("get runs --kubeconfig down", 1, "127.0.0.1:1", "krt dev up"),
    "a token of nobody": ("get runs --kubeconfig no-token", 1, "Unauthorized", "take a new kubeconfig"),
}


@pytest.fixture(scope="module", autouse=True)
def _there(desk: Desk) -> None:
    assert desk("run", "--detach", "--name", "there", "--", "true").returncode == 0


@pytest.mark.parametrize(("typed", "code", "what", "do"), WRONG.values(), ids=WRONG)
def test_a_wrong_input_is_answered_in_two_lines(
    desk: Desk, typed: str, code: int, what: str, do: str
) -> None:
    done = desk(*typed.split())
    assert what in done.stderr
    assert do in done.stderr
    assert done.returncode == code
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_doctor_fails_where_no_server_answers_and_says_what_to_do(desk: Desk) -> None:
    done = desk("doctor", "--kubeconfig", "down")
    assert (done.returncode, done.stderr) == (1, "")
    last = [line for line in done.stdout.splitlines() if line.startswith("fail")][-1]
    assert "127.0.0.1:1" in last
    assert "do: " in done.stdout.splitlines()[-1]
    assert desk("doctor").returncode == 0


def test_cancelling_twice_is_no_error_and_says_so(desk: Desk) -> None:
    assert desk("cancel", "there").stdout == "run.kruntimes.io/there is asked to end\n"
    assert "was asked to end before" in desk("cancel", "there").stdout
