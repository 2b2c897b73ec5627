"""What a control plane left on the machine: processes, mounts, sockets, files; it removes nothing.

All it may touch is told to it as one folder: its data, temporary files, sockets. So whatever still bears the
folder's name, and every temporary file still in it, is a leftover.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
LISTENING: Final = "0A"


def surroundings(folder: Path) -> dict[str, str]:
    """The environment that keeps its temporary files and sockets inside the folder."""
    for name in ("tmp", "run"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    return os.environ | {"TMPDIR": str(folder / "tmp"), "XDG_RUNTIME_DIR": str(folder / "run")}


def leftovers(folder: Path, ports: set[int]) -> list[str]:
    """Whatever bears the folder's name, lies in its temporary folders, or listens on its ports."""
    mark = folder.name
    return [*processes(mark), *mounts(mark), *sockets(mark), *listeners(ports), *files(folder)]


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
        fields = line.split()
        port = int(fields[1].split(":")[1], 16)
        if fields[3] == LISTENING and port in ports:
            yield f"listening port {port}"


def files(folder: Path) -> Iterator[str]:
    """What lies in its folders for temporary files and sockets."""
    for name in ("tmp", "run"):
        yield from (f"file {path}" for path in (folder / name).rglob("*"))


if __name__ == "__main__":
    found = leftovers(Path(sys.argv[1]), set())
    print("\n".join(found))
    sys.exit(1 if found else 0)
