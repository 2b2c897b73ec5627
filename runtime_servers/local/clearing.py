"""What a slot leaves that does not end as it should: ends its processes, removes its directory. It blocks."""

import os
import time
from collections.abc import Callable, Collection
from typing import Final

from runtime_servers.local import tree, workspace
from runtime_servers.local.directories import REMOVED, recorded_workspace, take_away

STRAYS_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.005


def end_strays(slots: Callable[[], Collection[int]]) -> None:
    """Kill every descendant of this process that no slot answers for; no slot may be made meanwhile.

    Raises OSError when something is left that cannot be killed.
    """
    deadline = time.monotonic() + STRAYS_SECONDS
    while left := tree.kill(os.getpid(), keep=slots()):
        if time.monotonic() > deadline:
            raise OSError(f"{left} processes of lost Runs cannot be killed")
        time.sleep(_PAUSE_SECONDS)


def sweep_directory(directory: str, workspaces: str) -> None:
    """Remove a slot's directory and the workspace it had; nothing of it may run any more. Raises OSError."""
    parent, _, name = directory.rpartition("/")
    above = os.open(parent, workspace.DIRECTORY)
    try:
        slot = os.open(name, workspace.DIRECTORY, dir_fd=above)
        try:
            if workspaces and (path := recorded_workspace(slot)):
                root = os.open(workspaces, workspace.DIRECTORY)
                try:
                    take_away(slot, root, path)
                finally:
                    os.close(root)
            workspace.remove(slot, REMOVED)
        finally:
            os.close(slot)
        workspace.remove(above, name)
    except FileNotFoundError:
        return  # it has removed itself
    finally:
        os.close(above)
