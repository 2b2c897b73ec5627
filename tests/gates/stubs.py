"""Whether the committed Python stubs are what proto/ generates today; it never edits them unasked."""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SUFFIXES: Final = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generate(proto: Path, out: Path) -> None:
    """Generate messages, services and their types from every file under `proto` into `out`."""
    sources = sorted(str(path) for path in proto.rglob("*.proto"))
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    # The plugins are scripts beside the interpreter, which need not be on PATH.
    tools = Path(sys.executable).parent
    plugins = [f"--plugin=protoc-gen-{name}={tools / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", *plugins, *outputs, *sources],
        check=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def stale(committed: Path, fresh: Path) -> list[str]:
    """Stubs that are missing, left over, or not what the proto files say."""
    want = {str(path.relative_to(fresh)) for path in fresh.rglob("*") if path.name.endswith(SUFFIXES)}
    have = {str(path.relative_to(committed)) for path in committed.rglob("*") if path.name.endswith(SUFFIXES)}
    differing = filecmp.cmpfiles(committed, fresh, sorted(want & have), shallow=False)[1]
    return (
        [f"missing: {name}" for name in sorted(want - have)]
        + [f"left over: {name}" for name in sorted(have - want)]
        + [f"stale: {name}" for name in differing]
    )


def main(arguments: list[str]) -> int:
    """Compare, or with --write generate in place."""
    proto, committed = ROOT / "proto", ROOT / "sdk" / "python"
    if arguments == ["--write"]:
        generate(proto, committed)
        return 0
    with tempfile.TemporaryDirectory(prefix="kruntimes-stubs-") as scratch:
        generate(proto, Path(scratch))
        found = stale(committed / "kruntimes" / "runtime", Path(scratch) / "kruntimes" / "runtime")
    if found:
        print("\n".join(found))
        print("The stubs do not match proto/. Run: make proto")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
