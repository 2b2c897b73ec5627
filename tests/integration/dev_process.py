"""An embedded control plane for tests: started by krt as a user would, and watched from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import kruntimes
from kruntimes.kubeconfig import from_files

from kruntimes_core.dev.control_plane import api_module
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.ownlock import holder
from kruntimes_core.dev.start_stop import find_layout

BOUND = 60.0
POLL = 0.05
KRT = (sys.executable, "-m", "kruntimes_core.cli.main")


def eventually(condition: Callable[[], bool], what: str, bound: float = BOUND) -> None:
    """Wait for a condition; a test fails when it does not come true."""
    deadline = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < deadline, f"not within {bound:g} s: {what}"
        time.sleep(POLL)


def krt(
    *argv: str, check: bool = True, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one krt command to its end."""
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    done = subprocess.run(
        [*KRT, *argv],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment, **(env or {})},
    )
    assert not check or done.returncode == 0, (
        f"krt {' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done


@dataclass(frozen=True)
class Dev:
    """One data directory and what works on it."""

    layout: Layout

    @property
    def pid(self) -> int:
        """Pid of the dev process."""
        pid = holder(self.layout)
        assert pid is not None, "the dev process does not run"
        return pid

    @property
    def api_server(self) -> int:
        """Pid of the API server; a real one ends with the program that started it."""
        program = f"-m {api_module()} "
        [pid] = [pid for pid, command in self.processes().items() if program in command]
        return pid

    def client(self) -> kruntimes.Client:
        """A client of its API server."""
        return kruntimes.Client(from_files([self.layout.kubeconfig]))

    def kill(self) -> None:
        """Kill the dev process and nothing else."""
        os.kill(self.pid, signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """All processes of this machine that know the data directory, by their command."""
        marks = [str(self.layout.data).encode(), str(self.layout.sockets).encode()]
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                texts = command + (entry / "environ").read_bytes()
            except OSError:
                continue
            if any(mark in texts for mark in marks):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def traces(self) -> list[str]:
        """Everything it may have left besides its data: processes, mounts, sockets."""
        places = [str(self.layout.data), str(self.layout.sockets)]
        lines = [
            *Path("/proc/mounts").read_text().splitlines(),
            *Path("/proc/net/unix").read_text().splitlines(),
        ]
        left = [line for line in lines if any(place in line for place in places)]
        left += [str(path) for path in [self.layout.sockets] if path.exists()]
        left += [
            str(path) for path in self.layout.data.rglob("*") if path.is_socket() or path.suffix == ".new"
        ]
        return [*left, *self.processes().values()]


@contextmanager
def dev_in(data: Path) -> Iterator[Dev]:
    """A data directory whose control plane is ended and whose data is removed at the end."""
    dev = Dev(find_layout(data))
    try:
        yield dev
    finally:
        krt("dev", "reset", "--data", str(data))


@contextmanager
def foreground(dev: Dev, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`krt dev up` as at a terminal: the block begins when the API answers, Ctrl-C follows it."""
    command = [*KRT, "dev", "up", "--data", str(dev.layout.data), "--runtimes", "bash", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            seen = []
            for line in process.stdout:
                seen.append(line)
                if line.startswith("Runtime bash:"):
                    break
            else:
                raise AssertionError(f"krt dev up ended with {process.wait()}: {''.join(seen)}")
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=BOUND)
