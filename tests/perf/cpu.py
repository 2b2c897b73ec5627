"""CPU time that the processes of a control plane have used, by what they are; it measures nothing else."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.processes import find

TICKS = os.sysconf("SC_CLK_TCK")
PROGRAMS = "the programs of the Runs"


def used(root: int) -> Mapping[str, float]:
    """Return the CPU seconds since their start of all processes below `root`, by role.

    A process without a role counts for the nearest one above it that has one, under `role: slots` when that
    is a runtime server; what ended and was waited for below a slot was a program of a Run.
    """
    roles = {found.pid: found.role for found in find(root)}
    parents = dict(_parents())
    seconds: dict[str, float] = defaultdict(float)
    for pid in [root, *parents]:
        role = _role(pid, root, roles, parents)
        try:
            own, waited = _times(pid)
        except OSError:
            continue  # it has ended meanwhile
        if role is None:
            continue
        if role == "server" and pid not in roles:
            seconds["server: slots"] += own
            seconds[PROGRAMS] += waited
        else:
            seconds[role] += own
    return seconds


def per_run(before: Mapping[str, float], after: Mapping[str, float], runs: int) -> Mapping[str, float]:
    """Return the CPU milliseconds per Run between two readings, the most expensive first."""
    spent = {role: (after[role] - before.get(role, 0.0)) * 1000 / runs for role in after}
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _role(pid: int, root: int, roles: Mapping[int, str], parents: Mapping[int, int]) -> str | None:
    while pid != root:
        if pid in roles:
            return roles[pid]
        if pid not in parents:
            return None
        pid = parents[pid]
    return "dev"


def _parents() -> list[tuple[int, int]]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append((int(entry), int(_stat(int(entry))[1])))
            except OSError:
                continue
    return found


def _times(pid: int) -> tuple[float, float]:
    user, system, waited_user, waited_system = (int(field) for field in _stat(pid)[11:15])
    return (user + system) / TICKS, (waited_user + waited_system) / TICKS


def _stat(pid: int) -> list[str]:
    stat = Path(f"/proc/{pid}/stat").read_text()
    # The second field is the program's name and may hold blanks and brackets.
    return stat[stat.rindex(")") + 2 :].split()
