"""krt as a person uses it, against the whole path."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.dev_process import KRT, Dev, dev_in, eventually, krt

pytestmark = [pytest.mark.integration]


class Krt:
    """krt with the kubeconfig of a test's control plane."""

    def __init__(self, dev: Dev, home: Path) -> None:
        self.dev, self.home = dev, home

    def __call__(self, *argv: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = (
            krt(*argv, "--kubeconfig", str(self.dev.layout.kubeconfig), check=False)
            if "--" not in argv
            else (krt(argv[0], "--kubeconfig", str(self.dev.layout.kubeconfig), *argv[1:], check=False))
        )
        assert done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 2 or code in (0, 2)
        return done

    def phase(self, name: str) -> str:
        return str(json.loads(self("get", "run", name, "-o", "json").stdout)["status"]["phase"])


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        krt("dev", "up", "--detach", "--data", str(dev.layout.data))
        yield dev


@pytest.fixture
def call(dev: Dev, tmp_path: Path) -> Krt:
    return Krt(dev, tmp_path)


def test_the_output_is_the_programs(call: Krt) -> None:
    done = call("run", "--", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


ENDS = {
    "exit 7": (("--", "exit 7"), 7, ""),
    "a signal": (("--", "kill -15 $$"), 143, "signal 15"),
    "a timeout": (("--timeout", "200ms", "--", "sleep 60"), 124, "TimeLimit"),
    "a missing program": (("--", "no-such-program", "x"), 127, "MissingProgram"),
    "a rule that is broken": (("--timeout", "0s", "--", "true"), 125, "spec.timeout"),
    "nothing to run": ((), 125, "nothing to run"),
}


@pytest.mark.parametrize(("argv", "code", "text"), ENDS.values(), ids=ENDS)
def test_it_ends_as_the_run_ends(call: Krt, argv: tuple[str, ...], code: int, text: str) -> None:
    assert text in call("run", *argv, code=code).stderr


def test_a_file_with_everything(call: Krt) -> None:
    script, data, stdin = (call.home / name for name in ("s.sh", "data", "in"))
    script.write_text('echo "$1 $A"; cat there; cat')
    data.write_bytes(b"\xff\x00")
    stdin.write_text("in")
    options = (
        "--env",
        "A=a",
        "--file",
        f"{data}=there",
        "--stdin",
        str(stdin),
        "--cpu",
        "100m",
        "--retry",
        "1",
    )
    done = subprocess.run(
        [*KRT, "run", "--kubeconfig", str(call.dev.layout.kubeconfig), *options, str(script), "--", "one"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"one a\n\xff\x00in"


def test_long_output_is_shown_whole(call: Krt) -> None:
    done = call("run", "--", "head -c 50000 /dev/zero | tr '\\0' a")
    assert (done.stdout, done.stderr) == ("a" * 50000, "")


def test_a_detached_run_is_waited_for_and_read_later(call: Krt) -> None:
    assert call("run", "--detach", "--name", "later", "--", "sleep 0.5; echo done").stdout == (
        "run.kruntimes.io/later created\n"
    )
    assert "succeeded" in call("wait", "later").stdout
    assert call("logs", "later").stdout == "done\n"
    assert call("logs", "later", "--channel", "stderr").stdout == ""
    assert "later" in call("get", "runs").stdout
    assert "deleted" in call("delete", "later").stdout
    assert "not found" in call("get", "run", "later", code=1).stderr


def test_a_kind_that_krt_does_not_show_is_kubectls(call: Krt) -> None:
    for words in (("pods",), ("pods", "a")):
        told = call("get", *words, code=1).stderr
        assert '"pods" not found' in told
        assert "krt get shows runs, runtimes and pools; kubectl shows every other kind" in told


def test_a_run_is_cancelled_by_its_name(call: Krt) -> None:
    call("run", "--detach", "--name", "endless", "--", "sleep 60")
    eventually(lambda: call.phase("endless") == "Running", "it runs")
    call("cancel", "endless")
    assert "was cancelled" in call("wait", "endless", code=130).stdout


def test_ctrl_c_cancels_the_run(call: Krt) -> None:
    command = [
        *KRT,
        "run",
        "--kubeconfig",
        str(call.dev.layout.kubeconfig),
        "--name",
        "stopped",
        "--",
        "sleep 60",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        eventually(
            lambda: "stopped" in call("get", "runs").stdout and call.phase("stopped") == "Running", "it runs"
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelling" in said
    assert call.phase("stopped") == "Cancelled"


def test_a_wait_that_is_too_short_says_so(call: Krt) -> None:
    call("run", "--detach", "--name", "slow", "--", "sleep 30")
    assert "goes on" in call("wait", "slow", "--timeout", "0.1", code=124).stderr
    call("delete", "slow")


def test_a_manifest_is_applied_and_changed(call: Krt) -> None:
    manifest = call.home / "runtime.yaml"
    text = """
apiVersion: kruntimes.io/v1alpha1
kind: Runtime
metadata: {name: other, labels: {a: b}}
spec:
  replicas: %d
  template: {spec: {containers: [{name: runtime, image: x, command: [python, -m, runtime_servers.bash]}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: some}
data: {k: v}
"""
    manifest.write_text(text % 0)
    first = call("apply", "-f", str(manifest)).stdout.splitlines()
    assert first == ["runtime.kruntimes.io/other created", "configmap/some created"]
    assert "unchanged" in call("apply", "-f", str(manifest)).stdout
    manifest.write_text(text % 1)
    assert "runtime.kruntimes.io/other configured" in call("apply", "-f", str(manifest)).stdout
    found = json.loads(call("get", "runtime", "other", "-o", "json").stdout)
    assert found["spec"]["replicas"] == 1
    assert call("run", "--runtime", "other", "--", "echo there").stdout == "there\n"
    call("delete", "runtime/other")


def test_a_watch_shows_what_changes(call: Krt) -> None:
    command = [*KRT, "get", "runs", "-w", "--kubeconfig", str(call.dev.layout.kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("NAME")
        call("run", "--name", "watched", "--", "true")
        seen = []
        for line in process.stdout:
            if line.startswith("watched"):
                seen.append(line.split()[1])
                if seen[-1] == "Succeeded":
                    break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert seen[0] in ("Pending", "Scheduled")
    assert process.returncode == 130


def test_no_server_is_told_in_one_line(tmp_path: Path) -> None:
    nowhere = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = krt("get", "runs", check=False, env=nowhere)
    assert done.returncode == 1
    assert "krt dev up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nothing_found_is_said_beside_the_output(call: Krt) -> None:
    done = call("get", "runs", "-l", "nobody=has")
    assert (done.stdout, done.stderr) == ("", "krt: no runs in namespace default\n")


def test_names_are_completed_for_kubectl_too(call: Krt) -> None:
    plugin = Path(sys.executable).parent / "kubectl_complete-krt"
    done = subprocess.run(
        [plugin, "--kubeconfig", str(call.dev.layout.kubeconfig), "top", "b"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "bash\n:4\n"


def test_it_is_a_plugin_of_kubectl(call: Krt) -> None:
    plugin = Path(sys.executable).parent / "kubectl-krt"
    done = subprocess.run([plugin, "bogus"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.startswith("kubectl krt: ")) == (2, True)


def test_why_agrees_with_what_the_scheduler_wrote(call: Krt) -> None:
    call("run", "--detach", "--name", "toolarge", "--cpu", "9000", "--", "true")
    eventually(
        lambda: (
            json.loads(call("get", "run", "toolarge", "-o", "json").stdout)["status"].get("reason")
            == "NeverFits"
        ),
        "the scheduler says why it waits",
    )
    said = json.loads(call("why", "toolarge", "-o", "json").stdout)
    assert (said["waits"]["for"], said["reason"]) == ("NeverFits", "NeverFits")
    assert [member["filters"]["large_enough"] for member in said["members"]] == [False]
    assert call("why", "run/toolarge").stdout.splitlines()[-1].startswith("do: create it anew asking for")
    (use,) = json.loads(call("top", "bash", "-o", "json").stdout)["runtimes"]
    assert (use["ready"], use["waiting"]) == (1, 1)
    header, pool = call("get", "pools", "bash").stdout.splitlines()
    assert (header.split()[0], pool.split()[:2], pool.split()[-1]) == ("RUNTIME", ["bash", "all"], "1")
    call("delete", "toolarge")


def test_why_gives_the_receipt_of_a_run_that_ended(call: Krt) -> None:
    call("run", "--name", "receipt", "--", "true")
    said = json.loads(call("why", "receipt", "-o", "json").stdout)
    timings = json.loads(call("get", "run", "receipt", "-o", "json").stdout)["status"]["timings"]
    whole = datetime.fromisoformat(timings["stored"]) - datetime.fromisoformat(timings["queued"])
    assert said["total"] == pytest.approx(whole.total_seconds())
    assert len(said["receipt"]) == 5
    assert "do: nothing to do: it succeeded" in call("why", "receipt").stdout


def test_a_run_without_its_runtime_is_told_to_wait_for_it(call: Krt) -> None:
    command = [
        *KRT,
        "run",
        "--kubeconfig",
        str(call.dev.layout.kubeconfig),
        "--runtime",
        "nope",
        "--",
        "true",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "NoSuchRuntime" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_run_that_removes_every_workspace_harms_only_itself(call: Krt) -> None:
    call("run", "--", "rm -rf ../../kruntimes-workspaces", code=125)

    assert call("run", "--", "echo after").stdout == "after\n"
