"""Starting and ending a dev process from outside, as `krt dev` does; every wait here has its bound."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kruntimes_core.dev.defaults import Defaults
from kruntimes_core.dev.layout import Layout, layout_of
from kruntimes_core.dev.leftovers import sweep_processes, sweep_sockets
from kruntimes_core.dev.ownlock import holder
from kruntimes_core.dev.proc import kill_and_wait
from kruntimes_core.dev.processes import die_with_parent
from kruntimes_core.dev.reports import News, read_reports
from kruntimes_core.dev.volumes import make_private, remove_tree

# With room below it for a Pod's volume and a socket in it.
LONGEST_RUNTIME_DIR = 40
READY_SECONDS = 90.0
DOWN_SECONDS = 25.0
KILL_SECONDS = 10.0
# What a data directory holds; `reset` removes nothing else.
OWN_NAMES = ("ca", "pods", "logs", "run", "bin", "kubeconfig", "port", "processes", "dev.pid")
STATE = "state.db"


@dataclass(frozen=True)
class Wanted:
    """What to start."""

    port: int = 0
    defaults: Defaults = field(default_factory=Defaults)
    detach: bool = False


def default_data() -> Path:
    """Return the data directory used when none is named."""
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "kruntimes" / "dev"


def find_layout(data: Path | None) -> Layout:
    """Return the paths of the data directory `data`, or of the default one."""
    whole = Path(os.path.abspath(data or default_data()))
    own = os.environ.get("XDG_RUNTIME_DIR")
    short = Path(own) if own and Path(own).is_dir() else Path(tempfile.gettempdir())
    # A long TMPDIR would defeat the purpose.
    return layout_of(whole, runtime_dir(short))


def runtime_dir(preferred: Path) -> Path:
    """Return where sockets may go when the data directory's path is too long."""
    return preferred if len(str(preferred)) <= LONGEST_RUNTIME_DIR else Path("/tmp")


@contextmanager
def started(layout: Layout, wanted: Wanted) -> Iterator[Iterator[News]]:
    """Start a dev process and give its news. Unless detached, it ends when this process does."""
    make_private(layout.data)
    make_private(layout.logs)
    reading, writing = os.pipe()
    sockets = layout.sockets.parent
    argv = [sys.executable, "-m", "kruntimes_core.dev", "--data", str(layout.data), "--sockets", str(sockets)]
    argv += ["--port", str(wanted.port), "--report-to", str(writing)]
    argv += ["--runtimes", ",".join(wanted.defaults.names)]
    size = wanted.defaults.size
    for name, value in (("--replicas", size.replicas), ("--slots", size.slots)):
        argv += [] if value is None else [name, str(value)]
    with layout.log("dev").open("ab") as log, os.fdopen(reading, "rb") as pipe:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.data,
            pass_fds=[writing],
            start_new_session=True,
            # This command is one thread, and what is called takes no lock.
            preexec_fn=None if wanted.detach else die_with_parent(signal.SIGTERM),  # noqa: PLW1509
        )
        os.close(writing)
        yield read_reports(pipe, READY_SECONDS if wanted.detach else None)


def stop(layout: Layout) -> int | None:
    """End the dev process and whatever is left of it; returns its pid, None if none ran."""
    pid = holder(layout)
    if pid is not None and not _end(pid):
        kill_and_wait([pid], KILL_SECONDS)
    sweep_processes(layout)
    sweep_sockets(layout)
    return pid


def reset(layout: Layout) -> bool:
    """End the dev process and remove its data; False when there is none."""
    stop(layout)
    found = [layout.data / name for name in OWN_NAMES]
    found += sorted(layout.data.glob(f"{STATE}*"))
    present = [path for path in found if path.exists()]
    for path in present:
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink()
    if layout.data.is_dir() and not any(layout.data.iterdir()):
        shutil.rmtree(layout.data)
    return bool(present)


def _end(pid: int) -> bool:
    """Ask a dev process to end; False when it has not after its bound."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        gone, _, _ = select.select([handle], [], [], DOWN_SECONDS)
        return bool(gone)
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
