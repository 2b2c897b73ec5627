"""The scheduler's process: watches in, writes out; what to do is decided by scheduling.board alone."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from kruntimes_core.apps.program import run_program
from kruntimes_core.clock import SystemClock
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import RUNTIME_LABEL, decode_member, decode_run, decode_runtime
from kruntimes_core.kube.errors import ApiError, Conflict, NotFound
from kruntimes_core.kube.events import Recorder, Reporter
from kruntimes_core.kube.kinds import LEASE, RUN, RUNTIME
from kruntimes_core.kube.mirror import Changed, Gone, Observed
from kruntimes_core.kube.watch import Broken, Event, Reflector, Selection, Synced
from kruntimes_core.kube.writes import SCHEDULER, write_event
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.notices import notice_of
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member, Runtime
from kruntimes_core.scheduling.actions import Action, Assign, Hold
from kruntimes_core.scheduling.board import Board, Watched
from kruntimes_core.settings import ProgramSettings

# The board wants an answer at least every three seconds, to tell a quiet API server from a stopped one.
PULSE_SECONDS = 2.5
PULSE_TIMEOUT = 5.0
# Writes under way get this long to end once we were told to stop.
LAST_WRITES_SECONDS = 5.0

T = TypeVar("T", bound=Observed)

log = logging.getLogger(__name__)


class Scheduler:
    """Feeds one board and carries out its decisions. All that counts is in the objects: it may be killed."""

    def __init__(
        self, client: Client, board: Board, recorder: Recorder, namespace: str | None = None
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._board = board
        self._clock = clock = recorder.clock
        self._namespace = namespace
        self._woken = asyncio.Event()
        self._answered = clock.now().monotonic

    async def run(self, stop: asyncio.Event) -> None:
        """Schedule until told to stop."""
        members = self._follow_members()
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
                loops = [
                    tasks.create_task(self._follow_runs().run()),
                    tasks.create_task(members.run()),
                    tasks.create_task(self._follow_runtimes().run()),
                    tasks.create_task(self._keep_pulse(members)),
                    tasks.create_task(self._recorder.run()),
                    tasks.create_task(self._decide(tasks)),
                ]
                await stop.wait()
                limit.reschedule(asyncio.get_running_loop().time() + LAST_WRITES_SECONDS)
                for task in loops:
                    task.cancel()
        except TimeoutError:
            log.warning("ended with writes under way: whoever comes next finds out what became of them")

    # What the watches show.

    def _follow_runs(self) -> Reflector[Run]:
        def gone(run: Run, now: Instant) -> None:
            self._board.run_gone(run.uid, now)

        take = partial(self._take, Watched.RUNS, self._board.run_changed, gone)
        return Reflector(self._client, Selection(RUN, self._namespace), decode_run, take)

    def _follow_members(self) -> Reflector[Member]:
        def gone(member: Member, now: Instant) -> None:
            self._board.member_gone(member.namespace, member.name, now)

        take = partial(self._take, Watched.MEMBERS, self._board.member_changed, gone)
        leases = Selection(LEASE, self._namespace, label_selector=RUNTIME_LABEL)
        return Reflector(self._client, leases, decode_member, take)

    def _follow_runtimes(self) -> Reflector[Runtime]:
        def gone(runtime: Runtime, now: Instant) -> None:
            self._board.runtime_gone(runtime.namespace, runtime.name, now)

        take = partial(self._take, Watched.RUNTIMES, self._board.runtime_changed, gone)
        return Reflector(self._client, Selection(RUNTIME, self._namespace), decode_runtime, take)

    def _take(
        self,
        watched: Watched,
        changed: Callable[[T, Instant], None],
        gone: Callable[[T, Instant], None],
        events: Sequence[Event[T]],
    ) -> None:
        now = self._clock.now()
        for event in events:
            match event:
                case Changed(item):
                    changed(item, now)
                case Gone(item):
                    gone(item, now)
                case Synced():
                    log.info("watch is whole", extra={"watch": watched.value})
                    self._board.watch_synced(watched, now)
                case Broken(error):
                    log.warning("watch broke", extra={"watch": watched.value, "why": str(error)})
                    self._board.watch_broken(watched, now)
        self._woken.set()

    async def _keep_pulse(self, members: Reflector[Member]) -> None:
        while True:
            quiet = self._clock.now().monotonic - self._answered
            if quiet < PULSE_SECONDS or not len(members.mirror):
                await asyncio.sleep(max(PULSE_SECONDS - quiet, PULSE_SECONDS / 10))
                continue
            try:
                await self._client.list(LEASE, self._namespace, timeout=PULSE_TIMEOUT, limit="1")
            except ApiError as error:
                log.warning("the API server does not answer", extra={"why": str(error)})
                await asyncio.sleep(PULSE_SECONDS / 10)
            else:
                self._hear()

    def _hear(self) -> Instant:
        now = self._clock.now()
        self._answered = now.monotonic
        self._board.api_answered(now)
        return now

    # What is to be done.

    async def _decide(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # All that has arrived by now is decided on together.
            await asyncio.sleep(0)
            self._woken.clear()
            now = self._clock.now()
            for action in self._board.decide(now):
                tasks.create_task(self._carry_out(action))
            if (wake_at := self._board.wake_at()) is None:
                await self._woken.wait()
                continue
            timer = loop.call_later(max(0.0, wake_at - self._clock.now().monotonic), self._woken.set)
            await self._woken.wait()
            timer.cancel()

    async def _carry_out(self, action: Action) -> None:
        run = action.run
        try:
            version = await write_event(self._client, run, action.event, self._clock.now().wall)
        except (Conflict, NotFound) as error:
            log.info("lost a race", extra=_words(action) | {"why": str(error)})
            self._board.refused(action, self._hear())
        except ApiError as error:
            log.warning("write failed", extra=_words(action) | {"why": str(error)})
            self._board.failed(action, self._clock.now())
        else:
            log.log(
                logging.DEBUG if isinstance(action, Assign | Hold) else logging.INFO,
                "written",
                extra=_words(action),
            )
            self._board.written(action, version, self._hear())
            self._recorder.tell(notice_of(run, action.event))
        self._woken.set()


def _words(action: Action) -> dict[str, str]:
    run = action.run
    return {
        "run": f"{run.namespace}/{run.name}",
        "attempt": str(run.attempt),
        "action": type(action).__name__,
    }


async def schedule(client: Client, settings: ProgramSettings, stop: asyncio.Event) -> None:
    """Put a scheduler together and run it."""
    recorder = Recorder(client, Reporter(SCHEDULER), SystemClock())
    await Scheduler(client, Board(), recorder, settings.namespace).run(stop)


if __name__ == "__main__":
    sys.exit(run_program(SCHEDULER, schedule))
