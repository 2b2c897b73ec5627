"""The lane of the real API server leaves nothing behind, whether it ends by itself or is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kruntimes_core.dev.proc import descendants, start_time
from tests.cluster.lane import own_namespaces
from tests.integration.apiserver_process import serving_alone
from tests.integration.dev_process import eventually

pytestmark = pytest.mark.integration

# What it leaves to others to end: a process of another session, a file, a mount.
PROGRAM = """
import subprocess, sys, tempfile
from pathlib import Path
folder = Path(tempfile.mkdtemp())
(folder / "file").write_text("x")
subprocess.run(["mount", "-t", "tmpfs", "kruntimes-lane-test", folder], check=True)
subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
print("up", folder, flush=True)
sys.stdin.readline()
"""
LANE = "import sys; from tests.cluster.lane import enter; sys.exit(enter(sys.argv[1:]))"


@contextmanager
def lane(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The lane with a small program in it, once that has made what is to vanish."""
    if not own_namespaces():
        reason = "this machine lets no user make namespaces, so the lane was NOT tested"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    (tmp_path / "left_behind.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "-c", LANE, "--module", "left_behind"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"up {tmp_path}/")
        yield process


def is_gone(pids: list[int]) -> bool:
    return all(start_time(pid) is None for pid in pids)


def test_a_lane_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with lane(tmp_path) as process:
        pids = descendants(process.pid)
        assert len(pids) >= 4, "unshare, the first process, the program and what it has started"
        process.communicate("\n", timeout=60)
        assert process.returncode == 0
    eventually(lambda: is_gone(pids), "its processes are gone")
    assert "kruntimes-lane-test" not in Path("/proc/mounts").read_text()
    assert [path.name for path in tmp_path.glob("kr-*")] == []


def test_a_lane_that_is_killed_leaves_an_empty_folder_at_most(tmp_path: Path) -> None:
    with lane(tmp_path) as process:
        pids = descendants(process.pid)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: is_gone(pids), "its processes are gone")
    assert "kruntimes-lane-test" not in Path("/proc/mounts").read_text()
    assert [list(path.iterdir()) for path in tmp_path.glob("kr-*")] == [[]]


def test_a_killed_server_takes_all_its_programs_along() -> None:
    with serving_alone() as server:
        assert server.process is not None
        pids = descendants(server.process.pid)
        assert len(pids) == 3, "etcd, kube-apiserver and kube-controller-manager"
        server.kill()
        eventually(lambda: is_gone(pids), "its programs are gone")
