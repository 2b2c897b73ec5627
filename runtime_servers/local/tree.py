"""The processes below one process: finds, stops and kills them all; never waits for one and never reaps."""

import os
import signal
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

# Each round finds what forked while the one before froze its parents; a round that finds nothing ends it.
FREEZE_ROUNDS: Final = 64
_STAT_BYTES: Final = 4096
FREEZE: Final = signal.SIGSTOP
END: Final = signal.SIGKILL
_GONE: Final = frozenset(b"ZXx")
_STOPPED: Final = frozenset(b"TtD")


class Process(NamedTuple):
    """One process: its id, and its start in clock ticks, since ids are used again."""

    pid: int
    start: int


class Entry(NamedTuple):
    """One line of the system's table of processes; `state` is the letter of proc(5)."""

    parent: int
    start: int
    state: int


def read(pid: int) -> Entry | None:
    """One process, or None when there is none of that id."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        data = os.read(descriptor, _STAT_BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    # The name stands in brackets and may itself hold brackets and blanks.
    fields = data[data.rindex(b")") + 2 :].split(b" ", 20)
    return Entry(int(fields[1]), int(fields[19]), fields[0][0])


def alive(process: Process) -> bool:
    """True while it runs; a zombie does not."""
    entry = read(process.pid)
    return entry is not None and entry.start == process.start and entry.state not in _GONE


def below(root: int, keep: Collection[int] = ()) -> dict[Process, int]:
    """Everything that descends from `root` and is no zombie, with its state.

    What descends from a process in `keep` is left out, and so is that process.
    """
    children: dict[int, list[tuple[Process, int]]] = {}
    for pid, entry in _table():
        if pid not in keep:
            children.setdefault(entry.parent, []).append((Process(pid, entry.start), entry.state))
    found: dict[Process, int] = {}
    left = [root]
    while left:
        for process, state in children.pop(left.pop(), ()):
            found[process] = state
            left.append(process.pid)
    return found


def everything() -> list[Process]:
    """Every process that this one can see and that is no zombie."""
    return [Process(pid, entry.start) for pid, entry in _table()]


def _table() -> Iterator[tuple[int, Entry]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            entry = read(int(name))
            if entry is not None and entry.state not in _GONE:
                yield int(name), entry


def send(process: Process, *signals: int) -> bool:
    """Send signals to this very process; False if it is gone, also when its id is another's now."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The descriptor holds on to one process; only now can its start be compared without a race.
        if not alive(process):
            return False
        for number in signals:
            signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def stop(root: int) -> set[int]:
    """Ask everything below `root` to end, and return whom; what was stopped is woken up, so that it can."""
    return {process.pid for process in below(root) if send(process, signal.SIGTERM, signal.SIGCONT)}


def kill(root: int, keep: Collection[int] = ()) -> int:
    """Kill everything below `root`, and return how much there was; zero means that nothing is left.

    All of it is frozen first: what does not run cannot fork away. A fork under way at that moment can still
    slip through, so the caller repeats this until nothing is left.
    """
    frozen: set[Process] = set()
    for _ in range(FREEZE_ROUNDS):
        found = below(root, keep)
        for process in found.keys() - frozen:
            send(process, FREEZE)
            frozen.add(process)
        if all(state in _STOPPED for state in found.values()):
            break
    for process in frozen:
        send(process, END)
    return len(frozen)
