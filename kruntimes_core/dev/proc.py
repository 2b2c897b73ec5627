"""What the system knows about processes, read from /proc, and the records by which leftovers are found."""

import json
import os
import select
import signal
from collections.abc import Iterable
from pathlib import Path

from kruntimes_core.clock import SystemClock

PROC = Path("/proc")


def start_time(pid: int) -> int | None:
    """Return when `pid` started, in ticks since boot; None when there is no such process or only its shell.

    A pid alone may be another program by now; pid and start time together name one process.
    """
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name and may hold blanks and brackets.
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def only_child(pid: int) -> int | None:
    """Return the single child of a wrapper, None while it has not forked yet or when it is gone."""
    children = [child for child, parent in _parents() if parent == pid]
    return children[0] if len(children) == 1 else None


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`, nearest first."""
    pairs = _parents()
    found, frontier = [], {pid}
    while frontier:
        frontier = {child for child, parent in pairs if parent in frontier}
        found.extend(sorted(frontier))
    return found


def marked(directory: Path) -> list[int]:
    """Return own processes with a variable of ours that names something below `directory`.

    So everything a Pod has started is found, whoever its parent is now.
    """
    found, wanted = [], f"{directory}/".encode()
    for pid in _pids():
        try:
            variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or somebody else's
        if any(variable.startswith(b"KRUNTIMES_") and wanted in variable + b"/" for variable in variables):
            found.append(pid)
    return [pid for pid in found if pid != os.getpid()]


def append_record(path: Path, pid: int, name: str) -> None:
    line = json.dumps({"pid": pid, "start": start_time(pid), "name": name})
    with path.open("a") as records:
        records.write(line + "\n")


def recorded(path: Path) -> list[tuple[int, int]]:
    """Return pid and start time of each record; a line cut short by a crash is left out."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record["start"] is not None:
            found.append((record["pid"], record["start"]))
    return found


def still_there(path: Path) -> list[int]:
    """Return the pids of recorded processes that live on."""
    return [pid for pid, start in recorded(path) if start_time(pid) == start]


def kill_and_wait(pids: Iterable[int], bound: float) -> list[int]:
    """Kill `pids` and wait until they are gone; returns those that are not after `bound` seconds."""
    handles: dict[int, int] = {}
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
            handles[handle] = pid
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            continue
    clock = SystemClock()
    deadline, waiting = clock.now().monotonic + bound, set(handles)
    while waiting and (left := deadline - clock.now().monotonic) > 0:
        gone, _, _ = select.select(waiting, [], [], left)
        waiting -= set(gone)
    for handle in handles:
        os.close(handle)
    return [handles[handle] for handle in waiting]


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]


def _parents() -> list[tuple[int, int]]:
    pairs = []
    for pid in _pids():
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pairs.append((pid, int(stat[stat.rindex(")") + 2 :].split()[1])))
    return pairs


def memory(pids: Iterable[int]) -> int:
    """Return the resident bytes of processes."""
    total = 0
    for each in pids:
        try:
            total += int((PROC / str(each) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
