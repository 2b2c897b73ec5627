"""krt dev up and down: one process tree that ends whole, whatever ends it, and goes on where it was."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kruntimes
import pytest
from kruntimes._wire import Request

from kruntimes_core.dev.ownlock import holder
from kruntimes_core.dev.start_stop import find_layout
from kruntimes_core.kube.codec import RUNTIME_LABEL, decode_member
from kruntimes_core.kube.kinds import LEASE
from kruntimes_core.pools.condition import is_ready
from tests.integration.dev_process import KRT, Dev, dev_in, eventually, foreground, krt

pytestmark = pytest.mark.integration


@pytest.fixture
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        yield dev


def test_ctrl_c_ends_everything_and_leaves_nothing(dev: Dev) -> None:
    with foreground(dev) as process:
        assert len(dev.processes()) >= 4
    assert process.returncode == 0
    assert dev.traces() == []


def test_down_ends_a_foreground_one_too(dev: Dev) -> None:
    with foreground(dev) as process:
        done = krt("dev", "down", "--data", str(dev.layout.data))
        assert "ended" in done.stdout
        process.wait(timeout=30)
    assert dev.traces() == []


def test_a_killed_dev_process_takes_everything_along(dev: Dev) -> None:
    with foreground(dev):
        dev.kill()
        eventually(lambda: dev.processes() == {}, "all processes are gone", 10)
    krt("dev", "down", "--data", str(dev.layout.data))
    assert dev.traces() == []


def test_a_killed_krt_takes_a_foreground_one_along(dev: Dev) -> None:
    with foreground(dev) as process:
        process.kill()
        eventually(lambda: dev.processes() == {}, "all processes are gone", 30)
    assert dev.traces() == []


def test_a_second_up_on_the_same_data_says_so_in_one_line(dev: Dev) -> None:
    with foreground(dev):
        done = krt("dev", "up", "--data", str(dev.layout.data), check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert f"pid {dev.pid}" in done.stderr


def test_another_up_goes_on_where_the_first_was(dev: Dev) -> None:
    with foreground(dev, "--replicas", "0"), dev.client() as client:
        server = dev.layout.kubeconfig.read_text()
        created = client.submit("bash", name="kept", args=["true"])
    with foreground(dev), dev.client() as client:
        assert dev.layout.kubeconfig.read_text() == server
        assert client.get("kept").uid == created.uid


def test_another_up_calls_only_members_of_its_own_life_ready(dev: Dev) -> None:
    up = ("dev", "up", "--detach", "--data", str(dev.layout.data), "--runtimes", "bash", "--replicas", "1")
    krt(*up)
    [former] = ready_instances(dev)
    dev.kill()
    krt(*up)
    [instance] = ready_instances(dev)
    assert instance != former
    with dev.client() as client:
        assert client.run("bash", args=["true"]).wait(30).attempt == 1


def test_another_up_sweeps_what_a_crash_has_left(dev: Dev) -> None:
    with foreground(dev):
        dev.kill()
    # A program of a Run that nobody kills: it has a path of its Pod in its environment.
    mark = {"KRUNTIMES_OUTPUTS": str(dev.layout.pods / "some-pod" / "outputs")}
    with subprocess.Popen(["sleep", "1000"], env={**os.environ, **mark}) as orphan, foreground(dev):
        assert orphan.wait(timeout=30) == -signal.SIGKILL


def test_a_component_that_is_killed_is_started_again(dev: Dev) -> None:
    with foreground(dev):
        pid = dev.api_server
        os.kill(pid, signal.SIGKILL)
        with dev.client() as client:
            eventually(lambda: answers(client), "the API server answers again")


def test_a_long_path_of_the_data_is_no_trouble() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="krt-test-" + "long-" * 15) as home,
        dev_in(Path(home) / "d") as dev,
    ):
        assert not dev.layout.sockets.is_relative_to(dev.layout.data)
        with foreground(dev):
            assert dev.layout.sockets.is_dir()
            assert dev.layout.sockets.stat().st_mode & 0o777 == 0o700
        assert dev.traces() == []


def test_everything_in_the_data_directory_is_private(dev: Dev) -> None:
    with foreground(dev):
        assert dev.layout.data.stat().st_mode & 0o777 == 0o700
        assert dev.layout.kubeconfig.stat().st_mode & 0o077 == 0


def test_status_tells_processes_and_members(dev: Dev) -> None:
    with foreground(dev):
        done = krt("dev", "status", "--data", str(dev.layout.data))
        for word in ("apiserver", "scheduler", "controller", "bash", str(dev.pid)):
            assert word in done.stdout
    done = krt("dev", "status", "--data", str(dev.layout.data), check=False)
    assert (done.returncode, "not running" in done.stdout) == (1, True)


def test_reset_removes_the_data_and_nothing_else(dev: Dev) -> None:
    with foreground(dev):
        pass
    foreign = dev.layout.data / "somebody-elses"
    foreign.write_text("x")
    krt("dev", "reset", "--data", str(dev.layout.data))
    assert [path.name for path in dev.layout.data.iterdir()] == ["somebody-elses"]
    foreign.unlink()


def test_a_port_that_is_taken_is_told(dev: Dev) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        command = [*KRT, "dev", "up", "--data", str(dev.layout.data), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert dev.traces() == []


def test_a_dev_process_whose_data_was_removed_ends(dev: Dev) -> None:
    with foreground(dev) as process:
        shutil.rmtree(dev.layout.data)
        process.wait(timeout=60)
    assert dev.processes() == {}


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    assert holder(find_layout(tmp_path)) is None
    assert "not running" in krt("dev", "down", "--data", str(tmp_path)).stdout
    assert list(tmp_path.iterdir()) == []


def ready_instances(dev: Dev) -> list[str]:
    with dev.client() as client:
        leases = client.ask(Request("GET", LEASE.path(), {"labelSelector": RUNTIME_LABEL}))["items"]
    members = [decode_member(json.dumps(lease).encode()) for lease in leases]
    return [member.instance for member in members if is_ready(member)]


def answers(client: kruntimes.Client) -> bool:
    try:
        client.list()
    except kruntimes.Unreachable:
        return False
    return True
