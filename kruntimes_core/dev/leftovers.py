"""What an earlier dev process may have left behind: found by records and marks, and removed."""

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.proc import kill_and_wait, marked, still_there
from kruntimes_core.dev.volumes import remove_tree

BOUND_SECONDS = 10.0


class LeftoverError(Exception):
    """Something of an earlier start cannot be removed; the message names it."""


def sweep_processes(layout: Layout) -> list[int]:
    """Kill what is still alive of an earlier start; returns the pids it found."""
    found = set(still_there(layout.records))
    # Programs of Runs are in no record, but their environment names a directory of their Pod.
    found.update(marked(layout.pods), marked(layout.sockets))
    stuck = kill_and_wait(sorted(found), BOUND_SECONDS)
    if stuck:
        raise LeftoverError(f"these processes of an earlier start cannot be killed: {stuck}")
    layout.records.unlink(missing_ok=True)
    return sorted(found)


def sweep_sockets(layout: Layout) -> None:
    """Remove sockets, tokens and everything else that ends with the processes."""
    remove_tree(layout.sockets)
