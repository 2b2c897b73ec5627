"""The output of Runs over the whole path: as it comes, whole, told apart, honest about what is lost."""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kruntimes
import pytest
from kruntimes._wire import Request

from kruntimes_core.dev.logfiles import put_aside
from tests.integration.dev_process import KRT, Dev, dev_in, eventually, krt

pytestmark = [pytest.mark.integration]
BOUND = 60.0
MIB = 1 << 20


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        krt("dev", "up", "--detach", "--data", str(dev.layout.data), "--slots", "4")
        yield dev


@pytest.fixture
def client(dev: Dev) -> Iterator[kruntimes.Client]:
    with dev.client() as client:
        yield client


@contextmanager
def krt_open(dev: Dev, verb: str, *argv: str) -> Iterator["subprocess.Popen[bytes]"]:
    """krt while it goes on."""
    command = [*KRT, verb, "--kubeconfig", str(dev.layout.kubeconfig), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def waiting(flag: Path) -> str:
    """A program that writes a line, and another once the file is there."""
    return f"echo first; while [ ! -e {flag} ]; do sleep 0.02; done; echo last"


def log_of(dev: Dev, run: kruntimes.Run) -> Path:
    """The log of the daemon that a Run was given to."""
    return dev.layout.pods / str(run.object["status"]["assignedPodUID"]) / "kruntimes-daemon.log"


def test_krt_run_shows_output_before_the_end(dev: Dev, client: kruntimes.Client, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    with krt_open(dev, "run", "--name", "live", "--", f"{waiting(flag)}; exit 3") as process:
        assert line_of(process) == b"first\n"
        assert client.read("live").phase == "Running"
        flag.touch()
        out, err = process.communicate(timeout=BOUND)
    assert (out, err, process.returncode) == (b"last\n", b"", 3)


def test_krt_logs_follows_a_run_from_before_it_runs(
    dev: Dev, client: kruntimes.Client, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    handle = client.submit("bash", args=[f"{waiting(flag)}; echo err >&2"])
    with krt_open(dev, "logs", handle.name, "-f") as process:
        assert line_of(process) == b"first\n"
        assert handle.status().phase == "Running"
        assert b"".join(piece.data for piece in handle.logs()) == b"first\n"
        flag.touch()
        out, err = process.communicate(timeout=BOUND)
    assert (out, err, process.returncode) == (b"last\n", b"err\n", 0)


def test_ten_mebibytes_of_any_bytes_arrive_as_they_were(dev: Dev) -> None:
    script = f"head -c {10 * MIB} /dev/urandom > x; cat x; sha256sum < x >&2"
    with krt_open(dev, "run", "--name", "big", "--", script) as process:
        out, err = process.communicate(timeout=BOUND)
    assert len(out) == 10 * MIB
    assert hashlib.sha256(out).hexdigest().encode() == err.split()[0]
    with krt_open(dev, "logs", "big") as process:
        again, _ = process.communicate(timeout=BOUND)
    assert again == out


def test_runs_that_write_at_once_are_told_apart(client: kruntimes.Client) -> None:
    script = "for i in $(seq 2000); do echo $1 $i; done; sleep 0.3; for i in $(seq 2000); do echo $1 $i; done"
    handles = {name: client.run("bash", source=script, args=[name]) for name in ("one", "two")}
    for name, handle in handles.items():
        lines = "".join(f"{name} {i}\n" for i in range(1, 2001)) * 2
        assert b"".join(piece.data for piece in handle.logs(follow=True)) == lines.encode()


def test_a_log_that_was_rotated_away_is_said_to_lack_something(dev: Dev, client: kruntimes.Client) -> None:
    handle = client.run("bash", args=["head -c 100000 /dev/zero | tr '\\0' a"])
    run = handle.wait(BOUND)
    put_aside(log_of(dev, run), 0)
    done = krt("logs", handle.name, "--kubeconfig", str(dev.layout.kubeconfig))
    assert done.stdout == "a" * 4096
    want = f"krt: {100000 - 4096:,} bytes of stdout are missing here: the Pod's log no longer holds them\n"
    assert done.stderr == want


def test_a_follower_loses_nothing_when_the_log_is_rotated(
    dev: Dev, client: kruntimes.Client, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    script = f"seq 20000; {waiting(flag)}; seq 20000"
    handle = client.run("bash", args=[script])
    heard = b""
    for piece in handle.logs(follow=True):
        assert not piece.missing
        heard += piece.data
        if heard.endswith(b"first\n") and not flag.exists():
            put_aside(log_of(dev, handle.status()), 0)
            flag.touch()
    numbers = "".join(f"{i}\n" for i in range(1, 20001)).encode()
    assert heard == numbers + b"first\nlast\n" + numbers


def test_a_daemon_that_is_killed_doubles_and_loses_nothing(
    dev: Dev, client: kruntimes.Client, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    handle = client.run("bash", args=[f"seq 5000; {waiting(flag)}; seq 5000"])
    heard = b""
    killed = False
    for piece in handle.logs(follow=True):
        assert not piece.missing
        assert not piece.note
        heard += piece.data
        if heard.endswith(b"first\n") and not killed:
            killed = True
            kill_daemon(dev, handle.status().pod)
            flag.touch()
    numbers = "".join(f"{i}\n" for i in range(1, 5001)).encode()
    assert heard == numbers + b"first\nlast\n" + numbers
    assert handle.wait(BOUND).attempt == 1
    assert b"".join(piece.data for piece in client.logs(handle.name)) == heard


def test_an_attempt_that_is_tried_again_is_heard_too(client: kruntimes.Client, tmp_path: Path) -> None:
    once = f"[ -e {tmp_path}/x ] || {{ touch {tmp_path}/x; exit 1; }}"
    script = f"echo attempt $KRUNTIMES_ATTEMPT; sleep 0.4; {once}"
    handle = client.run("bash", source=script, max_attempts=2)
    pieces = list(handle.logs(follow=True))
    assert b"".join(piece.data for piece in pieces) == b"attempt 1\nattempt 2\n"
    assert [piece.note for piece in pieces if piece.note] == [f"attempt 2 of Run {handle.name} begins here"]


def test_a_pod_that_is_gone_leaves_the_end_and_a_word(dev: Dev, client: kruntimes.Client) -> None:
    handle = client.run("bash", args=["head -c 9000 /dev/zero | tr '\\0' a"])
    pod = handle.wait(BOUND).pod
    path = f"/api/v1/namespaces/default/pods/{pod}"
    client.ask(Request("DELETE", path))
    eventually(lambda: not is_there(client, path), "the Pod is gone")
    [piece] = client.logs(handle.name)
    assert (piece.missing, piece.data) == (9000 - 4096, b"a" * 4096)
    assert piece.note == "4,904 bytes of stdout are missing here: the Pod that wrote them is gone"


def is_there(client: kruntimes.Client, path: str) -> bool:
    try:
        client.ask(Request("GET", path))
    except kruntimes.NotFound:
        return False
    return True


def kill_daemon(dev: Dev, pod: str) -> None:
    """Kill the daemon of a member, and nothing else of it."""
    for pid, command in dev.processes().items():
        if not re.match(r"\S*python\S* -m kruntimes_core\.apps\.daemon$", command):
            continue
        if f"KRUNTIMES_POD_NAME={pod}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(pid, signal.SIGKILL)
            return
    raise AssertionError(f"no daemon of {pod} among {dev.processes()}")
