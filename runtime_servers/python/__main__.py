"""`python -m runtime_servers.python`: serves Python programs where the environment says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runtime_servers.local.program import ToolchainMissing, run_server
from runtime_servers.python.command import Python

VERSION: Final = "0.1.0"
PATIENCE_SECONDS: Final = 30.0
RUNNER: Final = str(Path(__file__).resolve().with_name("runner.py"))
_ASK: Final = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


def find(environment: Mapping[str, str]) -> Python:
    """The interpreter that KRUNTIMES_PYTHON names, else the one of this process. Raises ToolchainMissing."""
    wanted = environment.get("KRUNTIMES_PYTHON") or sys.executable
    found = shutil.which(wanted, path=environment.get("PATH"))
    if found is None:
        raise ToolchainMissing(
            f"there is no program {wanted!r}; set KRUNTIMES_PYTHON to a Python interpreter"
        )
    # Not resolved: a virtual environment is known by the path of its link.
    interpreter = os.path.abspath(found)
    return Python(interpreter, RUNNER, f"{VERSION} (Python {_ask_version(interpreter)})")


def _ask_version(interpreter: str) -> str:
    if interpreter == sys.executable:
        return ".".join(map(str, sys.version_info[:3]))
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainMissing(f"{interpreter} is no Python interpreter that runs here: {error}") from None
    if not done.stdout.startswith("3."):
        raise ToolchainMissing(
            f"{interpreter} is no Python 3: asked for its version, it said {done.stdout[:60]!r}"
        )
    return done.stdout.strip()


if __name__ == "__main__":
    run_server(find)
