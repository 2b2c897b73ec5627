"""What an earlier server left: ends its processes and removes its directories; serves nothing."""

import fcntl
import logging
import os
import select
import time
from pathlib import Path
from typing import Final

from runtime_servers.local import tree
from runtime_servers.local.clearing import sweep_directory
from runtime_servers.local.directories import OUTPUTS
from runtime_servers.local.slot import RECORD

log = logging.getLogger(__name__)

# A slot whose server is gone ends everything by itself, and needs only to be waited for.
PATIENCE_SECONDS: Final = 5.0
_LOCK: Final = "lock"
_PAUSE_SECONDS: Final = 0.01


class StateTaken(Exception):
    """Another server uses the same directory; the message says what to do."""


def take_state(state: str) -> int:
    """Make the directory of the slots ours; the lock holds as long as the descriptor. Raises StateTaken."""
    Path(state).mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(f"{state}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StateTaken(
            f"another server keeps its slots in {state}; stop it, or set another KRUNTIMES_WORKSPACES"
        ) from None
    return descriptor


def sweep(state: str, workspaces: str) -> None:
    """End what an earlier server left running, then remove what it left lying. It blocks.

    Call it with the state taken, and before the first slot is made.
    """
    slots = sorted(path for path in Path(state).iterdir() if path.is_dir())
    _wait_for_slots(slots)
    _kill_marked(state)
    for slot in slots:
        log.warning("removing what an earlier server left in %s", slot)
        try:
            sweep_directory(str(slot), workspaces)
        except (OSError, ValueError) as error:  # it is in nobody's way, and the next server tries again
            log.error("%s cannot be removed: %s", slot, error)


def _wait_for_slots(slots: list[Path]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in filter(None, map(_recorded, slots)):
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            left = max(0.0, deadline - time.monotonic())
            if tree.alive(process) and not select.select((descriptor,), (), (), left)[0]:
                log.error("slot process %d of an earlier server does not end; it is killed", process.pid)
                _kill_with_tree(process)
        finally:
            os.close(descriptor)


def _recorded(slot: Path) -> tree.Process | None:
    try:
        pid, start = (slot / RECORD).read_text("ascii").split()
        return tree.Process(int(pid), int(start))
    except (OSError, ValueError):
        return None  # it had not begun, or had ended: then nothing of it runs


def _kill_with_tree(process: tree.Process) -> None:
    """Freeze the slot first: while it lives, nothing below it can get away from it."""
    tree.send(process, tree.FREEZE)
    tree.kill(process.pid)
    tree.send(process, tree.END)


def _kill_marked(state: str) -> None:
    """Kill what outlived its slot, known by the path of the outputs file in its variables.

    Only where server and slots were all killed at one moment is there any; a program that wiped its own
    variables escapes this, and ends with the container.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while marked := list(_marked(state)):
        for process in marked:
            tree.send(process, tree.FREEZE)
        for process in marked:
            tree.kill(process.pid)
            tree.send(process, tree.END)
        if time.monotonic() > deadline:
            log.error("%d processes of an earlier server cannot be killed", len(marked))
            return
        time.sleep(_PAUSE_SECONDS)


def _marked(state: str) -> list[tree.Process]:
    mark = f"KRUNTIMES_OUTPUTS={state}/".encode()
    tail = f"/{OUTPUTS}".encode()
    found = []
    for process in tree.everything():
        try:
            variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if any(one.startswith(mark) and one.endswith(tail) for one in variables):
            found.append(process)
    return found
