"""What the machine is and what each process of a control plane holds of it; changes nothing."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.chaos.processes import find

PACKAGES = ("kruntimes", "grpcio", "aiohttp", "msgspec", "protobuf")


def machine() -> Mapping[str, str]:
    """Return what a reader needs to judge the figures."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return {
        "cpu": f"{os.cpu_count()} x {cpu.partition(':')[2].strip() or platform.machine()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def memory(root: int) -> Mapping[str, float]:
    """Return the resident MiB of the dev process `root` and of each process with a role below it."""
    roles = [("dev", root), *((found.role, found.pid) for found in find(root))]
    return {f"{role} ({pid})": _resident(pid) for role, pid in roles}


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
