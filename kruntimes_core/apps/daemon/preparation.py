"""Makes a Run's directory ready, off the event loop, and says whose fault a failure is; decides nothing."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from kruntimes_core.apps.daemon.parameters import Parameters
from kruntimes_core.daemon.instructions import Broken, Clear, Done, Fill, Outcome, Unfillable
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.rpc.requests import BadSpec, encode_parameters, list_files, name_workspace
from kruntimes_core.workspaces import BadPath, File, Workspaces

log = logging.getLogger(__name__)

Given = TypeVar("Given")

# Runs made ready at once: a slow disk under one of them is not to hold up the others.
AT_ONCE: Final = 8
PATIENCE: Final = 60.0


class Preparation:
    """The directories of this member's Runs, from the daemon's side."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="workspace")
        # What nobody seemed to own when it was last looked at: it goes if that is still so the next time.
        self._unowned = workspaces.names()
        self._made: set[str] = set()
        self.parameters = Parameters("")

    def close(self) -> None:
        """Begin nothing more; what a thread is at ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def path(self, key: RunKey) -> str:
        """Where a Run's directory is, once filled."""
        return self._workspaces.path(name_workspace(key))

    async def fill(self, order: Fill) -> Outcome:
        """Check the parameters, then write source and files."""
        if fault := self.parameters.find_fault(encode_parameters(order.run.spec)):
            return Unfillable(Reason.PARAMETERS_INVALID, fault)
        self._made.add(name_workspace(order.key))
        return await self._aside(self._fill, order.run)

    async def clear(self, order: Clear) -> Outcome:
        """Remove a directory that was never handed over."""
        self.let_go(order.key)
        return await self._aside(self._clear, name_workspace(order.key))

    def let_go(self, key: RunKey) -> None:
        """The directory is no longer ours to keep: who had it removes it, or else the next sweeps do."""
        self._made.discard(name_workspace(key))

    async def sweep(self, held: frozenset[str]) -> None:
        """Remove what was unowned the last time already; `held` are the directories of the server's Runs."""
        await self._aside(self._sweep, held)

    async def _aside(self, act: Callable[[Given], Outcome], given: Given) -> Outcome:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.get_running_loop().run_in_executor(self._threads, act, given)
        except TimeoutError:
            return Broken(f"the disk under {self._workspaces.root} did not answer within {PATIENCE:g} s")

    def _fill(self, run: Run) -> Outcome:
        try:
            files = [File(path, data) for path, data in list_files(run.spec)]
            self._workspaces.fill(name_workspace(run.key), files)
        except (BadPath, BadSpec) as error:
            return Unfillable(Reason.SOURCE_INVALID, str(error))
        except OSError as error:
            return Broken(f"the directory of the Run could not be made: {error}")
        return Done()

    def _clear(self, name: str) -> Outcome:
        try:
            self._workspaces.remove(name)
        except OSError as error:
            # It is swept when the daemon starts again; until then it only takes room.
            log.warning("the directory %s is left behind: %s", name, error)
        return Done()

    def _sweep(self, held: frozenset[str]) -> Outcome:
        unowned = self._workspaces.names() - held - self._made
        for name in sorted(unowned & self._unowned):
            if name not in self._made:
                self._clear(name)
        self._unowned = unowned
        return Done()
