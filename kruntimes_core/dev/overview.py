"""What `krt dev status` says: which processes live, which members are ready; changes nothing."""

import asyncio
import json

from kruntimes.kubeconfig import from_files

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.ownlock import holder
from kruntimes_core.dev.podstatus import is_ready
from kruntimes_core.dev.proc import descendants, memory, start_time
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError

ANSWER_SECONDS = 5.0


def overview(layout: Layout) -> tuple[list[str], bool]:
    """Return lines for a person, and whether the control plane runs and answers."""
    pid = holder(layout)
    if pid is None:
        return [f"not running; its data would be {layout.data}; `krt dev up` starts it"], False
    lines = [f"running on {layout.data} (pid {pid})", f"KUBECONFIG={layout.kubeconfig}", ""]
    lines += _processes(layout, pid)
    try:
        lines += ["", *asyncio.run(_members(layout))]
    except (ApiError, OSError) as error:
        return [*lines, "", f"the API server does not answer: {error}"], False
    return lines, True


def _processes(layout: Layout, pid: int) -> list[str]:
    rows = [("PROCESS", "PID", "MIB"), ("dev", str(pid), _mib([pid]))]
    lines = layout.records.read_text().splitlines() if layout.records.exists() else []
    for line in lines:
        record = json.loads(line)
        if record["start"] is not None and start_time(record["pid"]) == record["start"]:
            rows.append(
                (record["name"], str(record["pid"]), _mib([record["pid"], *descendants(record["pid"])]))
            )
    return [f"{name:<28}{pid:>8}{mib:>8}" for name, pid, mib in rows]


def _mib(pids: list[int]) -> str:
    return f"{memory(pids) / 2**20:.0f}"


async def _members(layout: Layout) -> list[str]:
    async with Client(from_files([layout.kubeconfig]), "krt", timeout=ANSWER_SECONDS) as client:
        runtimes = json.loads(await client.list(kinds.RUNTIME))["items"]
        pods = json.loads(await client.list(kinds.POD))["items"]
    lines = [f"{'RUNTIME':<20}{'MEMBER':<40}READY"]
    for runtime in runtimes:
        name = runtime["metadata"]["name"]
        own = [p for p in pods if (p["metadata"].get("labels") or {}).get("kruntimes.io/runtime") == name]
        members = [(pod["metadata"]["name"], "yes" if is_ready(pod) else "no") for pod in own] or [
            ("none", "")
        ]
        lines += [f"{name:<20}{member:<40}{ready}" for member, ready in members]
    return lines
