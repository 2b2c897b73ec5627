"""The processes of one embedded control plane as the machine sees them: found by role, signalled by pid."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kruntimes_core.dev.proc import descendants

ROLES = {
    "kruntimes_core.apps.daemon": "daemon",
    "runtime_servers.bash": "server",
    "kruntimes_core.apps.scheduler": "scheduler",
    "kruntimes_core.apps.controller": "controller",
    "kruntimes_core.dev.apiserver": "apiserver",
    "tests.cluster.apiserver": "apiserver",
}
"""By the module that a process runs; the last starts a real API server in place of the embedded one."""
PROGRAMS = ("etcd", "kube-apiserver")
"""What it starts; their names are their roles."""


@dataclass(frozen=True)
class Found:
    """One process; `member` names the directory that daemon and server of one Pod share."""

    pid: int
    role: str
    member: str


def find(root: int) -> list[Found]:
    """Return the processes with a role below `root`, without the wrappers around them."""
    found = []
    for pid in descendants(root):
        argv, member = _argv(pid), _environ(pid).get("KRUNTIMES_TOKEN_FILE", "")
        role = _role(argv)
        if role is not None:
            found.append(Found(pid, role, str(Path(member).parent) if member else ""))
    return found


def with_role(root: int, role: str) -> list[Found]:
    """Return the processes of one role below `root`, by pid."""
    return sorted(
        (process for process in find(root) if process.role == role), key=lambda process: process.pid
    )


def send(pids: Iterable[int], number: signal.Signals) -> int:
    """Signal processes; return how many there were to hear it."""
    heard = 0
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        heard += 1
    return heard


def marking(directory: str) -> list[int]:
    """Return the processes whose environment names the directory of marks: user code that still runs."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in pids if _environ(pid).get("MARKS") == directory]


def _role(argv: list[str]) -> str | None:
    if argv[1:2] == ["-m"]:
        return ROLES.get(argv[2])
    name = os.path.basename(argv[0]) if argv else ""
    return name if name in PROGRAMS else None


def _argv(pid: int) -> list[str]:
    return _read(pid, "cmdline")


def _environ(pid: int) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in _read(pid, "environ") if "=" in entry)


def _read(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
