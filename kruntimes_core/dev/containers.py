"""One container of a Pod as a local process: started, probed, restarted, stopped; knows no other."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kruntimes_core.dev.backoff import Backoff
from kruntimes_core.dev.podspec import Container, Probe, Role
from kruntimes_core.dev.podstatus import ContainerState, Ended, restarts
from kruntimes_core.dev.processes import Command, Process, Spawner

STARTUP_FAILED = "StartError"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a container runs: its Pod's directory, its log, and what isolates its processes."""

    work_dir: Path
    log: Path
    isolation: tuple[str, ...]
    mark: dict[str, str]
    now: Callable[[], datetime]


class ContainerLife:
    """Keeps one container going until it is stopped or has nothing more to do."""

    def __init__(
        self, container: Container, place: Place, spawner: Spawner, changed: Callable[[], None]
    ) -> None:
        self.container = container
        self.state = ContainerState()
        self._place, self._spawner, self._changed = place, spawner, changed
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()
        self.done = asyncio.Event()

    async def run(self) -> None:
        """Run until stopped, or until it ended and is not to be started again."""
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                began = asyncio.get_running_loop().time()
                code = await self._run_once()
                if self._stopping.is_set() or (code is not None and not restarts(self.container, code)):
                    return
                backoff = backoff.after(asyncio.get_running_loop().time() - began)
                if backoff.delay and code is not None:
                    self._set(self.state.waits("CrashLoopBackOff", f"starts again in {backoff.delay:g} s"))
                await self._pause(backoff.delay)
        finally:
            await self._make_gone()
            self.done.set()
            self._changed()

    async def wait_started(self) -> None:
        """Return when its startup probe has passed, or at once when it has ended for good."""
        waits = [asyncio.ensure_future(self._started.wait()), asyncio.ensure_future(self.done.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def pre_stop(self, bound: float) -> None:
        """Run the preStop hook, if there is one and the container is alive to be told."""
        told = self._stopping.is_set()
        self._stopping.set()
        if (
            not told
            and self.container.pre_stop
            and self._process is not None
            and self._process.returncode is None
        ):
            code = await self._execute(self.container.pre_stop, bound)
            if code != 0:
                log.warning("preStop of %s ended with %s", self.container.name, code)

    async def stop(self, grace: float) -> None:
        """End the program: politely, and after `grace` seconds by force."""
        self._stopping.set()
        if self._process is not None:
            await self._process.stop(grace)
        await self.done.wait()

    def kill(self) -> None:
        """End the program now."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()

    async def _run_once(self) -> int | None:
        """Start it and wait for its end; None when it could not be started."""
        try:
            self._process = self._spawner.spawn(self._command(self.container.argv, self._place.isolation))
        except OSError as error:
            text = f"cannot start {self.container.argv[0]}: {error.strerror or error}"
            self._set(self.state.waits(STARTUP_FAILED, text))
            return None
        self._set(self.state.began(self._place.now()))
        async with asyncio.TaskGroup() as group:
            probes = group.create_task(self._probe(self._process))
            code = await self._process.wait()
            probes.cancel()
        self._set(self.state.ended(code, self._place.now()))
        return code

    async def _probe(self, process: Process) -> None:
        """Follow the probes of one run of the program."""
        if self.container.startup is not None and not await self._passes(self.container.startup):
            log.warning("%s did not start in time", self.container.name)
            process.kill()
            return
        ready = self.container.readiness is None and self.container.role is not Role.INIT
        self._set(replace(self.state, started=True, ready=ready))
        self._started.set()
        async with asyncio.TaskGroup() as group:
            if self.container.readiness is not None:
                group.create_task(self._watch_readiness(self.container.readiness))
            if self.container.liveness is not None:
                group.create_task(self._watch_liveness(self.container.liveness, process))

    async def _passes(self, probe: Probe) -> bool:
        """Return True at the first success, False after too many failures."""
        await asyncio.sleep(probe.initial_delay)
        for attempt in range(probe.failures):
            if await self._execute(probe.argv, probe.timeout) == 0:
                return True
            if attempt + 1 < probe.failures:
                await asyncio.sleep(probe.period)
        return False

    async def _watch_readiness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        passed = failed = 0
        while True:
            good = await self._execute(probe.argv, probe.timeout) == 0
            passed, failed = (passed + 1, 0) if good else (0, failed + 1)
            if passed >= probe.successes and not self.state.ready:
                self._set(replace(self.state, ready=True))
            elif failed >= probe.failures and self.state.ready:
                self._set(replace(self.state, ready=False))
            await asyncio.sleep(probe.period)

    async def _watch_liveness(self, probe: Probe, process: Process) -> None:
        await asyncio.sleep(probe.initial_delay)
        failed = 0
        while failed < probe.failures:
            await asyncio.sleep(probe.period)
            failed = 0 if await self._execute(probe.argv, probe.timeout) == 0 else failed + 1
        log.warning("%s failed its liveness probe and is started again", self.container.name)
        process.kill()

    async def _execute(self, argv: tuple[str, ...], bound: float) -> int | None:
        """Run a command beside the container; None when it did not end within `bound` seconds."""
        try:
            process = self._spawner.spawn(self._command(argv, ()))
        except OSError as error:
            log.warning("cannot start %s: %s", argv[0], error)
            return 127
        try:
            async with asyncio.timeout(bound):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            process.kill()

    def _command(self, argv: tuple[str, ...], isolation: tuple[str, ...]) -> Command:
        work_dir = Path(self.container.work_dir) if self.container.work_dir else self._place.work_dir
        env = {**self.container.env, **self._place.mark}
        return Command(self.container.name, argv, env, work_dir, self._place.log, wrapper=isolation)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _make_gone(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if not isinstance(self.state.now, Ended):
            self._set(self.state.waits("Stopped"))

    def _set(self, state: ContainerState) -> None:
        self.state = state
        self._changed()
