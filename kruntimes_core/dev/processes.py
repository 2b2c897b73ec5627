"""Child processes of the dev process: started to die with it, waited for, stopped within a bound."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kruntimes_core.dev import proc

PR_SET_PDEATHSIG = 1
# A killed process that does not go within this is stuck in the kernel; waiting longer helps nobody.
KILL_BOUND_SECONDS = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Command:
    """What to run. Its output is appended to `log`; with `pipe`, stdout is read by the caller instead.

    `wrapper` is put before argv and forks once: signals then go to its child, which leads a PID namespace.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    pipe: bool = False
    wrapper: tuple[str, ...] = ()


class Process:
    """One child under way."""

    def __init__(self, popen: "subprocess.Popen[bytes]", wrapped: bool) -> None:
        self._popen = popen
        self._wrapped = wrapped
        self._exited = _watch_exit(popen)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._popen.stdout

    @property
    def returncode(self) -> int | None:
        """Exit code, or the negative number of the signal; None while it runs."""
        return self._exited.result() if self._exited.done() else None

    async def wait(self) -> int:
        """Return the exit code, or the negative number of the signal."""
        return await asyncio.shield(self._exited)

    def signal(self, number: int) -> None:
        """Send a signal to the program itself; nothing happens when it is gone."""
        if self._exited.done():
            return
        target: int | None = self.pid
        if self._wrapped:
            target = proc.only_child(self.pid)
        if target is not None:
            _send(target, number)

    def kill(self) -> None:
        """End the program and everything it started."""
        if self._exited.done():
            return
        if not self._wrapped:
            for pid in proc.descendants(self.pid):
                _send(pid, signal.SIGKILL)
        _send(self.pid, signal.SIGKILL)

    async def stop(self, grace: float) -> int | None:
        """Ask politely, kill after `grace` seconds; None when even that did not end it."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                return await self.wait()
        except TimeoutError:
            self.kill()
        try:
            async with asyncio.timeout(KILL_BOUND_SECONDS):
                return await self.wait()
        except TimeoutError:
            return None


class Spawner:
    """Starts processes, and writes each into the records before anyone else hears of it."""

    def __init__(self, records: Path) -> None:
        self._records = records

    def spawn(self, command: Command) -> Process:
        """Start `command` in a session of its own; raises OSError when the program cannot be started."""
        with command.log.open("ab") as log:
            popen = subprocess.Popen(
                (*command.wrapper, *command.argv),
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.pipe else log,
                stderr=log,
                start_new_session=True,
                # Safe here: the dev process is one thread, and what is called takes no lock.
                preexec_fn=die_with_parent(),  # noqa: PLW1509
            )
        proc.append_record(self._records, popen.pid, command.name)
        return Process(popen, wrapped=bool(command.wrapper))


def die_with_parent(number: int = signal.SIGKILL) -> Callable[[], None]:
    """Return what a child calls before exec so that it gets signal `number` when this process dies."""
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        # The parent may have died before the call above; then no signal will ever come.
        if os.getppid() != parent:
            os._exit(128 + number)

    return prepare


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it ended by itself, which is what was wanted


def _watch_exit(popen: "subprocess.Popen[bytes]") -> "asyncio.Future[int]":
    """Return a future of the exit code; a pidfd tells, so neither a thread nor SIGCHLD is needed."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int] = loop.create_future()
    descriptor = os.pidfd_open(popen.pid)

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        code = popen.wait()
        if not exited.done():
            exited.set_result(code)

    loop.add_reader(descriptor, ended)
    return exited
