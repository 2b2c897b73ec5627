"""What a control plane left on the machine: processes, mounts, sockets, files; it removes nothing."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def leftovers(mark: str, ports: set[int]) -> list[str]:
    """Everything that still bears `mark`, the name of the throw-away folder, or listens on one of `ports`."""
    return [*processes(mark), *mounts(mark), *sockets(mark), *listeners(ports), *files(mark)]


def processes(mark: str) -> Iterator[str]:
    """Processes that name it in arguments, environment or working directory."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), os.getppid()):
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            about = command + (entry / "environ").read_bytes() + os.fsencode(os.readlink(entry / "cwd"))
        except OSError:
            continue  # gone meanwhile, or somebody else's
        if mark.encode() in about:
            yield f"process {entry.name}: {command.replace(bytes(1), b' ').decode(errors='replace')}"


def mounts(mark: str) -> Iterator[str]:
    """Mounts in or of it."""
    for line in (PROC / "self/mounts").read_text().splitlines():
        if mark in line:
            yield f"mount {line}"


def sockets(mark: str) -> Iterator[str]:
    """UNIX sockets bound in it."""
    for line in (PROC / "net/unix").read_text().splitlines():
        if mark in line:
            yield f"socket {line.split()[-1]}"


def listeners(ports: set[int]) -> Iterator[str]:
    """TCP ports of it that are still open."""
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        port = int(address.split(":")[1], 16)
        if state == "0A" and port in ports:
            yield f"listening port {port}"


def files(mark: str) -> Iterator[str]:
    """Files of that name in the folders for temporary ones."""
    folders = {tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", "/tmp"), "/dev/shm"}
    for folder in sorted(folders):
        try:
            yield from (f"file {folder}/{name}" for name in os.listdir(folder) if mark in name)
        except OSError:
            continue  # there is no such folder here
