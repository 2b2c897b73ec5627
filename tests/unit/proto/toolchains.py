"""Other languages' protocol compilers, pinned here and kept inside this environment; never on the PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

HERE: Final = Path(__file__).resolve().parent
TOOLS: Final = Path(sys.prefix) / "tools"
PATIENCE: Final = 240


def cannot(reason: str) -> NoReturn:
    """Say aloud that a lane does not run here; where everything must run, that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI=true lets nothing be skipped", pytrace=False)
    pytest.skip(reason)


def program(name: str, purpose: str) -> str:
    """The full path of a toolchain's command."""
    if (found := shutil.which(name)) is None:
        cannot(f"{name} is not installed, so {purpose} is not tried")
    return found


def run(command: list[str], cwd: Path, **environment: str) -> str:
    """Run one of the tools and give back what it printed; its own words explain a failure."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def fetch(command: list[str], cwd: Path, **environment: str) -> None:
    """Let a toolchain bring what it lacks; without a network that lane is not run."""
    try:
        run(command, cwd, **environment)
    except (AssertionError, subprocess.TimeoutExpired) as failure:
        cannot(f"{command[0]} could not bring what this test needs: {failure}")


def go_plugins() -> Path:
    """Build protoc-gen-go and protoc-gen-go-grpc, unless that was done before; the folder they are in."""
    go = program("go", "protoc-gen-go")
    where = TOOLS / "go"
    if not all((where / name).exists() for name in ("protoc-gen-go", "protoc-gen-go-grpc")):
        plugins = [
            "google.golang.org/protobuf/cmd/protoc-gen-go",
            "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
        ]
        fetch([go, "install", *plugins], HERE / "go", GOBIN=str(where))
    return where


def node_modules() -> Path:
    """Unpack the pinned proto-loader, unless that was done before; the folder that holds node_modules."""
    npm = program("npm", "Node's proto-loader")
    where = TOOLS / "node"
    lock = (HERE / "node" / "package-lock.json").read_bytes()
    installed = where / "package-lock.json"
    if not installed.exists() or installed.read_bytes() != lock or not (where / "node_modules").exists():
        where.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "node" / "package.json", where)
        shutil.copy(HERE / "node" / "package-lock.json", where)
        fetch([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], where)
    return where
