"""A server of a language as a process of its own, for tests, and what is left of its Runs."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

from runtime_servers.local import tree
from tests.runtime_client import TOKEN, WAIT_SECONDS, Client, eventually, make_start

SLOTS = 4
SECRET = "in-the-server-alone"


@dataclass
class BashServer:
    """One server process and what belongs to it; `mark` stands in the variables of every Run."""

    client: Client
    process: subprocess.Popen[bytes]
    directory: Path
    mark: str

    @property
    def workspaces(self) -> Path:
        return self.directory / "workspaces"

    def workspace(self, uid: str, files: dict[str, str | bytes] | None = None) -> str:
        """Make and fill a workspace as a daemon does."""
        path = self.workspaces / f"{uid}-1"
        path.mkdir(mode=0o700, parents=True)
        for name, data in (files or {}).items():
            (path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    async def start(
        self, *args: str, uid: str = "u", files: dict[str, str | bytes] | None = None, **spec: Any
    ) -> pb.Run:
        """Start a Run of these arguments; with a file named `source` that is its source."""
        fields: dict[str, Any] = {
            "task": pb.TaskWorkload(entrypoint=spec.pop("entrypoint", ""), args=args),
            "workspace": pb.Workspace(path=self.workspace(uid, files)),
            "env": {"MARK": self.mark, **spec.pop("env", {})},
        }
        if "source" in (files or {}):
            fields["source"] = pb.Source(workspace_path="source")
        request = make_start(uid, **{**fields, **spec})
        answer: rpc.StartRunResponse = await self.client.call("StartRun", request)
        return answer.run

    async def run(self, *args: str, uid: str = "u", **spec: Any) -> pb.Run:
        """Run to the end."""
        await self.start(*args, uid=uid, **spec)
        return await self.client.ended(uid)

    async def wait_for(self, uid: str, name: str) -> str:
        """The content of a file in a Run's workspace, as soon as it ends in a line."""
        path = self.workspaces / f"{uid}-1" / name

        async def look() -> str | None:
            text = path.read_text() if path.exists() else ""
            return text if text.endswith("\n") else None

        return await eventually(look)

    def inside(self) -> int:
        """The server's own process, below what wraps it."""
        below = tree.below(self.process.pid)
        return next(one.pid for one in below if parent(one.pid) == self.process.pid)

    def slots(self) -> list[int]:
        """The processes of its slots."""
        below = tree.below(self.process.pid)
        return [one.pid for one in below if _bears(one.pid, "runtime_servers.local.slot")]

    def state(self) -> list[str]:
        """What lies in the directory of workspaces, slots aside."""
        return sorted(path.name for path in self.workspaces.iterdir() if path.name != ".server")


def parent(pid: int) -> int:
    """The parent of a process; zero when it is gone."""
    entry = tree.read(pid)
    return 0 if entry is None else entry.parent


def marked(mark: str) -> list[int]:
    """Living processes that bear `mark` in variables or arguments, the caller aside."""
    return [
        process.pid
        for process in tree.everything()
        if process.pid != os.getpid() and _bears(process.pid, mark)
    ]


def _bears(pid: int, mark: str) -> bool:
    try:
        about = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return mark.encode() in about


async def nobody(mark: str) -> None:
    """Wait until no process bears the mark."""

    async def look() -> bool | None:
        return None if marked(mark) else True

    await eventually(look)


def zombies(of: int) -> list[int]:
    """Children of a process that ended and were not reaped."""
    found = []
    for name in os.listdir("/proc"):
        entry = tree.read(int(name)) if name.isdigit() else None
        if entry is not None and entry.parent == of and entry.state == ord("Z"):
            found.append(int(name))
    return found


@contextmanager
def own_directory() -> Iterator[Path]:
    """A directory for a socket, a token and workspaces; it goes again."""
    directory = Path(tempfile.mkdtemp(prefix="kruntimes-test-"))
    try:
        (directory / "token").write_text(TOKEN)
        yield directory
    finally:
        shutil.rmtree(directory)


@asynccontextmanager
async def bash_server(
    directory: Path, wrapper: tuple[str, ...] = (), language: str = "bash", **environment: str
) -> AsyncIterator[BashServer]:
    """A server that serves for as long as the block runs, and ends with everything it started.

    `wrapper` are the arguments of a program that starts it as its only child.
    """
    mark = f"run-of-{directory.name}"
    endpoint = f"unix:{directory}/s.sock"
    variables = {
        **os.environ,
        "KRUNTIMES_ENDPOINT": endpoint,
        "KRUNTIMES_TOKEN_FILE": f"{directory}/token",
        "KRUNTIMES_SPOOL": f"{directory}/spool",
        "KRUNTIMES_WORKSPACES": f"{directory}/workspaces",
        "KRUNTIMES_SLOTS": str(SLOTS),
        "KRUNTIMES_TERMINATION_GRACE_SECONDS": "1",
        "SECRET": SECRET,
        **environment,
    }
    process = _spawn(
        [*wrapper, sys.executable, "-m", f"runtime_servers.{language}"], variables, directory / "log"
    )
    try:
        async with grpc.aio.insecure_channel(endpoint) as channel:
            async with asyncio.timeout(WAIT_SECONDS):
                await channel.channel_ready()
            yield BashServer(Client(channel), process, directory, mark)
    finally:
        await end(process, wrapped=bool(wrapper))
        await nobody(f"{directory}/workspaces")


def _spawn(argv: list[str], variables: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    # A file and not a pipe, so that nothing of ours keeps a reader waiting.
    with open(log, "ab") as out:
        return subprocess.Popen(argv, env=variables, stdout=out, stderr=out)


async def end(process: subprocess.Popen[bytes], wrapped: bool) -> None:
    """End a server politely, or hard when it does not heed that."""
    for child in tree.below(process.pid) if wrapped else ():
        if parent(child.pid) == process.pid:
            tree.send(child, signal.SIGTERM)
    if not wrapped:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.to_thread(process.wait, WAIT_SECONDS)
    finally:
        process.kill()
        process.wait()


def seconds(run: pb.Run) -> float:
    """How long user code ran."""
    return (run.end_time.ToNanoseconds() - run.start_time.ToNanoseconds()) / 1e9


def tail(run: pb.Run, name: str = "stdout") -> bytes:
    """The last bytes of a channel."""
    return next(channel.tail for channel in run.channels if channel.name == name)


def size(run: pb.Run, name: str = "stdout") -> int:
    """All bytes ever written to a channel."""
    return next(channel.end_offset for channel in run.channels if channel.name == name)
