"""One member on loopback for tests: API server, fake runtime server and daemon, each a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from kruntimes.kubeconfig import from_files

from kruntimes_core.dev.control_plane import api_module
from kruntimes_core.dev.proc import descendants
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import decode_member, decode_run
from kruntimes_core.kube.errors import NotFound
from kruntimes_core.kube.kinds import LEASE, RUN
from kruntimes_core.kube.writes import write_event
from kruntimes_core.model.events import Assigned
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.rpc.client import RuntimeClient

NAMESPACE: Final = "default"
ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], what: str) -> T:
    """Look again and again until it is as wanted; the last look stands in the failure."""
    seen = await look()
    try:
        async with asyncio.timeout(PATIENCE):
            while not wanted(seen):
                await asyncio.sleep(0.02)
                seen = await look()
    except TimeoutError:
        raise AssertionError(f"{what}: not within {PATIENCE:g} s; last seen {seen!r}") from None
    return seen


class Process:
    """One program of ours, ended with the test."""

    def __init__(
        self, *argv: str, env: Mapping[str, str] | None = None, log: Path, out: Path | None = None
    ) -> None:
        self.log = log
        # What nobody reads goes to a file: a pipe would fill up.
        with log.open("ab") as file, (out or log).open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *argv],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output if out else subprocess.PIPE,
                stderr=file,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._popen.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def read_line(self) -> str:
        """The next line it prints."""
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().decode()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.wait_for(asyncio.to_thread(self._popen.wait), PATIENCE)

    def kill(self) -> None:
        """End it by force; it may have ended before."""
        self._popen.kill()
        self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()


class ApiServer:
    """The selected API server on throw-away data."""

    def __init__(self, data: Path) -> None:
        self.kubeconfig = data / "kubeconfig"
        self._data = data
        self.process = self._start(0)

    def restart(self) -> None:
        """Kill it, and start it again on the same data and port."""
        self.process.kill()
        self.process = self._start(self._port)

    def pause(self) -> None:
        """Let it answer nobody, while its sockets stay open."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for pid in (self.process.pid, *descendants(self.process.pid)):
            os.kill(pid, number)

    def _start(self, port: int) -> Process:
        log = self._data / "api.log"
        argv = (api_module(), "--data", str(self._data), "--port", str(port))
        process = Process(*argv, log=log)
        ready = process.read_line()
        assert ready.startswith("ready https://127.0.0.1:"), log.read_text()
        self._port = int(ready.rsplit(":", 1)[1])
        return process

    def client(self) -> Client:
        """A client of it, to be entered."""
        return Client(from_files([self.kubeconfig]), "test")


@dataclass
class Place:
    """One member: its processes, which come and go, and what stays."""

    api: ApiServer
    client: Client
    directory: Path
    pod: str
    lease: float = 15.0
    capacity: Mapping[str, int] = field(default_factory=lambda: {"runs": 4})
    processes: list[Process] = field(default_factory=list)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """UID of the Pod this member would be."""
        return f"uid-of-{self.pod}"

    @property
    def endpoint(self) -> str:
        """Where the runtime server listens."""
        return f"unix://{self.directory}/s.sock"

    @property
    def workspaces(self) -> Path:
        """Where its Runs work."""
        return self.directory / "workspaces"

    def environment(self) -> dict[str, str]:
        """What the Pod would set."""
        return {
            "KUBECONFIG": str(self.api.kubeconfig),
            "KRUNTIMES_NAMESPACE": NAMESPACE,
            "KRUNTIMES_RUNTIME": "fake",
            "KRUNTIMES_POD_NAME": self.pod,
            "KRUNTIMES_POD_UID": self.uid,
            "KRUNTIMES_ENDPOINT": self.endpoint,
            "KRUNTIMES_TOKEN_FILE": str(self.directory / "token"),
            "KRUNTIMES_WORKSPACES": str(self.workspaces),
            "KRUNTIMES_SPOOL": str(self.directory / "spool"),
            "KRUNTIMES_CAPACITY": json.dumps(self.capacity),
            "KRUNTIMES_LEASE_SECONDS": str(self.lease),
            "KRUNTIMES_TERMINATION_GRACE_SECONDS": "15",
            **self.extra,
        }

    def start(self, *argv: str, unread: bool = False) -> Process:
        """Start one program of the member; `unread`, its standard output soon takes no more."""
        log, out = (self.directory / f"{argv[0]}.{kind}" for kind in ("log", "out"))
        process = Process(*argv, env=self.environment(), log=log, out=None if unread else out)
        self.processes.append(process)
        return process

    def start_server(self) -> Process:
        """Start the runtime server."""
        return self.start("runtime_servers.fake")

    def start_daemon(self, unread: bool = False) -> Process:
        """Start the daemon."""
        return self.start("kruntimes_core.apps.daemon", unread=unread)

    async def read_member(self) -> Member | None:
        """The member as the scheduler sees it."""
        try:
            return decode_member(await self.client.get(LEASE.named(NAMESPACE, self.pod)))
        except NotFound:
            return None

    async def until_ready(self, not_instance: str = "") -> Member:
        """Wait until the scheduler would send Runs; returns the member."""

        def ready(member: Member | None) -> bool:
            return member is not None and member.accept_state is AcceptState.ACCEPTING

        def another(member: Member | None) -> bool:
            return ready(member) and member is not None and member.instance not in ("", not_instance)

        member = await until(self.read_member, another, f"{self.pod} is ready")
        assert member is not None
        return member

    async def create(self, name: str, spec: Mapping[str, Any] | None = None, **script: object) -> None:
        """Create a Run that does as the script says."""
        parameters = {"parameters": script} if script else {}
        body = {
            "apiVersion": RUN.api_version,
            "kind": RUN.name,
            "metadata": {"name": name},
            "spec": {"runtime": "fake", **parameters, **(spec or {})},
        }
        await self.client.create(RUN, NAMESPACE, body)

    async def assign(self, name: str) -> None:
        """Do what the scheduler would: give the Run to this member."""
        member = await self.read_member()
        assert member is not None
        now = datetime.now(UTC)
        run = decode_run(await self.client.get(RUN.named(NAMESPACE, name)))
        place = Assignment(self.pod, self.uid, member.instance)
        await write_event(self.client, run, Assigned(place, now), now)

    async def give(self, name: str, spec: Mapping[str, Any] | None = None, **script: object) -> None:
        """Create a Run and assign it."""
        await self.create(name, spec, **script)
        await self.assign(name)

    async def read(self, name: str) -> dict[str, Any]:
        """A Run's whole object."""
        found: dict[str, Any] = json.loads(await self.client.get(RUN.named(NAMESPACE, name)))
        return found

    async def until_phase(self, name: str, *phases: str) -> dict[str, Any]:
        """Wait until a Run is in one of these phases; returns its status."""
        run = await until(
            lambda: self.read(name), lambda run: run["status"]["phase"] in phases, f"{name} is {phases}"
        )
        status: dict[str, Any] = run["status"]
        return status

    async def list_on_server(self) -> list[str]:
        """The UIDs of the Runs the server holds."""
        client = RuntimeClient(self.endpoint, (self.directory / "token").read_text())
        try:
            return [run.key.run_uid for run in await client.list_runs()]
        finally:
            await client.close()

    async def until_forgotten(self) -> None:
        """Wait until the server holds nothing."""
        await until(self.list_on_server, lambda held: not held, "the server holds no Run")

    async def count_active(self) -> int:
        """How many Runs of the server have not ended."""
        client = RuntimeClient(self.endpoint, (self.directory / "token").read_text())
        try:
            return (await client.read_status()).capacity.active_runs
        finally:
            await client.close()

    async def list_workspaces(self) -> list[str]:
        """The directories of Runs there are."""
        return sorted(path.name for path in self.workspaces.iterdir())

    async def read_spool(self) -> bytes:
        """All output the server keeps, read without a call to it: calls are signs of life of a daemon."""
        return b"".join(path.read_bytes() for path in (self.directory / "spool").rglob("*") if path.is_file())
