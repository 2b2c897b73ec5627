"""Where the server under test is: an address that is given, or a command that is started. Makes no calls."""

import asyncio
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from kruntimes.conformance.processes import bearing, run_hook

GRACE_SECONDS: Final = 12.0
_SHOWN_LINES: Final = 20


class Server(Protocol):
    """One running server, and what can be done to it beside calling it."""

    @property
    def address(self) -> str:
        """Where it listens, as gRPC writes it."""

    @property
    def token(self) -> str | None:
        """What calls must bear; None for nothing."""

    @property
    def workspaces(self) -> Path | None:
        """The directory that server and caller share, if there is one."""

    @property
    def abilities(self) -> frozenset[str]:
        """Which of these are there: 'launch', 'restart hook', 'process hook'."""

    async def restart(self) -> None:
        """Kill it and start it anew at the same address."""

    async def terminate(self) -> None:
        """Send it SIGTERM."""

    async def exited(self, within: float) -> bool:
        """True as soon as its process is gone, False if it is not after that long."""

    async def processes(self, mark: str) -> list[str]:
        """A line for each process of a Run that bears `mark` in its environment."""


class Target(Protocol):
    """Where servers come from."""

    @property
    def fresh(self) -> bool:
        """True when each `server()` is another one, false when all are the same."""

    def server(self) -> AbstractAsyncContextManager[Server]:
        """A server, for as long as the block runs."""


@dataclass(frozen=True, slots=True)
class Given:
    """A server that somebody else runs; hooks are shell commands, empty where there are none."""

    address: str
    token: str | None = None
    workspaces: Path | None = None
    restart_hook: str = ""
    process_hook: str = ""
    fresh: bool = False

    @property
    def abilities(self) -> frozenset[str]:
        """What the hooks make possible."""
        hooks = {"restart hook": self.restart_hook, "process hook": self.process_hook}
        return frozenset(name for name, command in hooks.items() if command)

    @asynccontextmanager
    async def server(self) -> AsyncIterator["Given"]:
        """Itself."""
        yield self

    async def restart(self) -> None:
        """Run the hook."""
        await run_hook(self.restart_hook, {})

    async def terminate(self) -> None:
        """Nobody may end a server that is not ours."""
        raise NotImplementedError("needs launch")

    async def exited(self, within: float) -> bool:
        """Nobody can tell."""
        raise NotImplementedError("needs launch")

    async def processes(self, mark: str) -> list[str]:
        """What the hook prints."""
        return (await run_hook(self.process_hook, {"CONFORMANCE_MARK": mark})).splitlines()


@dataclass(frozen=True, slots=True)
class Launching:
    """A command that serves where KRUNTIMES_ENDPOINT says; every server is a process of its own."""

    command: str
    variables: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = True

    @asynccontextmanager
    async def server(self) -> AsyncIterator["Launched"]:
        """A new process in a directory of its own; both are gone afterwards."""
        directory = Path(tempfile.mkdtemp(prefix="kr-conf-"))  # short: a socket's path holds 107 bytes
        launched = Launched(shlex.split(self.command), directory, self.variables)
        try:
            launched.prepare()
            await launched.start()
            yield launched
        finally:
            await launched.end()
            shutil.rmtree(directory, ignore_errors=True)


class Launched:
    """One process that serves, started and ended here."""

    abilities = frozenset({"launch", "restart hook"}) | (
        {"process hook"} if sys.platform == "linux" else frozenset()
    )

    def __init__(self, argv: list[str], directory: Path, variables: Mapping[str, str]) -> None:
        self.address = f"unix:{directory}/s.sock"
        self.token: str | None = secrets.token_hex(16)
        self.workspaces: Path | None = directory / "workspaces"
        self._argv = argv
        self._directory = directory
        self._variables = variables
        self._process: asyncio.subprocess.Process | None = None

    def prepare(self) -> None:
        """Make what a server finds when it begins."""
        (self._directory / "workspaces").mkdir()
        token = self._directory / "token"
        token.touch(mode=0o600)
        token.write_text(str(self.token), encoding="ascii")

    async def start(self) -> None:
        """Start the process; it may not listen yet. Raises OSError."""
        variables = {
            **os.environ,
            "KRUNTIMES_ENDPOINT": self.address,
            "KRUNTIMES_TOKEN_FILE": f"{self._directory}/token",
            "KRUNTIMES_SPOOL": f"{self._directory}/spool",
            "KRUNTIMES_WORKSPACES": f"{self._directory}/workspaces",
            "KRUNTIMES_TERMINATION_GRACE_SECONDS": str(GRACE_SECONDS),
            **self._variables,
        }
        with open(self._directory / "log", "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=variables, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def restart(self) -> None:
        """Kill it without warning, as the kernel does when memory runs out, and start it again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self.start()

    async def terminate(self) -> None:
        """SIGTERM."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def exited(self, within: float) -> bool:
        """Wait for the process."""
        if self._process is None:
            return True
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def processes(self, mark: str) -> list[str]:
        """Looks through the processes of this machine."""
        return await asyncio.to_thread(bearing, mark)

    async def end(self) -> None:
        """End it: politely with nobody to forget its Runs it would stay for its grace, so not for long."""
        await self.terminate()
        if not await self.exited(1.0) and self._process is not None:
            self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        """The end of what it printed."""
        log = self._directory / "log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-_SHOWN_LINES:])


def given(endpoint: str, token_file: str | None = None, **hooks: Any) -> Given:
    """A server at an endpoint as people write it. Raises OSError when the token cannot be read."""
    address = endpoint
    if endpoint.startswith("unix://"):
        address = "unix:" + endpoint.removeprefix("unix://")
    token = None if token_file is None else Path(token_file).read_text(encoding="ascii").strip()
    return Given(address, token, **hooks)
