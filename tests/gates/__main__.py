"""Runs every gate in a row and tells which refused; it never stops at the first."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TYPED: Final = (
    "kruntimes_core",
    "runtime_servers",
    "sdk/python/kruntimes",
    "tests",
    "examples/01-ci-pipeline",
    "examples/02-runtime-server",
    "examples/03-python-run",
)

# Cheapest first, so that the commonest slip is seen at once.
GATES: Final = {
    "format": "ruff format --check --quiet .",
    "lint": "ruff check --quiet .",
    "tree": "python -m tests.gates.tree",
    "imports": "lint-imports --cache-dir .import_linter_cache",
    "proto format": "buf format --diff --exit-code proto",
    "proto lint": "buf lint proto",
    "proto breaking": "python -m tests.gates.breaking",
    "stubs": "python -m tests.gates.stubs",
    "types": f"mypy {' '.join(TYPED)}",
}


def environment() -> dict[str, str]:
    """The caller's, with this interpreter's tools first and every cache inside the clone."""
    tools = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": tools + os.pathsep + os.environ.get("PATH", os.defpath),
        "BUF_CACHE_DIR": str(Path(sys.prefix) / "cache" / "buf"),
    }


def refuses(name: str, command: str) -> bool:
    """Run one gate; its own words are shown only when it refuses."""
    began = time.monotonic()
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    word = "ok" if done.returncode == 0 else "REFUSED"
    print(f"  {name:<18} {word:<8} {time.monotonic() - began:5.1f} s", flush=True)
    if done.returncode != 0:
        print(f"    $ {command}")
        print(done.stdout + done.stderr, flush=True)
    return done.returncode != 0


def main() -> int:
    """Run them all, or those named."""
    wanted = sys.argv[1:] or list(GATES)
    if unknown := [name for name in wanted if name not in GATES]:
        print(f"no such gate: {', '.join(unknown)}; there are: {', '.join(GATES)}", file=sys.stderr)
        return 2
    refused = [name for name in wanted if refuses(name, GATES[name])]
    print(
        f"{len(refused)} of {len(wanted)} gates refused: {', '.join(refused)}"
        if refused
        else "all gates passed"
    )
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
