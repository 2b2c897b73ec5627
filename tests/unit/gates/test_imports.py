"""The import contracts bite: on a copy of the tree with one line too many."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("kruntimes_core", "runtime_servers", "sdk/python/kruntimes")
CASES = {
    "a clock in a rule": ("kruntimes_core/model/run.py", "import time", "Rules know no clock"),
    "an arrow that points up": (
        "kruntimes_core/kube/client.py",
        "import kruntimes_core.cli.main",
        "cli -> apps",
    ),
    "a server that knows the control plane": (
        "runtime_servers/fake/server.py",
        "import kruntimes_core.model.run",
        "never import one another",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_import_against_the_contract_is_refused(case: str, tmp_path: Path) -> None:
    path, line, contract = CASES[case]
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    guilty = tmp_path / path
    guilty.write_text(guilty.read_text() + f"\n{line}  # noqa\n")

    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(tmp_path / "sdk/python")])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert contract in " ".join(done.stdout.split())
