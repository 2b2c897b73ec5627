"""The wheel alone, in an empty environment outside the clone: krt dev works, and leaves nothing behind."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LEFTOVERS = ROOT / "examples" / "01-ci-pipeline" / "leftovers.py"
BOUND = 180.0


@pytest.fixture
def outside() -> Iterator[Path]:
    """A short folder with a home, a folder for temporary files, and one for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="kruntimes-wheel-"))
    for name in ("home", "tmp", "run"):
        (folder / name).mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


def run(command: list[str], folder: Path) -> str:
    """Run a command as somebody who has never seen this clone."""
    environment = {
        "PATH": os.defpath + os.pathsep + os.environ["PATH"],
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def krt(outside: Path) -> str:
    """The command of a fresh installation of the wheel."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(outside / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=BOUND)
    (wheel,) = (outside / "dist").glob("*.whl")
    run([sys.executable, "-m", "venv", str(outside / "env")], outside)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    pinned = ["--no-compile", "--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    # With the caller's own settings of pip, and its cache: what is tried here is the wheel.
    subprocess.run(
        [str(outside / "env/bin/python"), *install, *pinned], cwd=outside, check=True, timeout=BOUND
    )
    return str(outside / "env/bin/krt")


def test_a_control_plane_from_the_wheel(krt: str, outside: Path) -> None:
    run([krt, "dev", "up", "--detach"], outside)
    try:
        assert run([krt, "run", "--", "echo hi"], outside) == "hi\n"
        assert "Succeeded" in run([krt, "get", "runs"], outside)
    finally:
        run([krt, "dev", "down"], outside)

    left = subprocess.run(
        [sys.executable, str(LEFTOVERS), str(outside)], capture_output=True, text=True, check=False
    )
    assert left.stdout.split() == []
