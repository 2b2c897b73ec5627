"""Deletes Runs when their time after the end is over; it never touches a Run that has not ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from kruntimes_core.clock import Clock
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Broken, Event, Reflector, Selection, Synced
from kruntimes_core.kube.writes import delete_run
from kruntimes_core.model.identity import RunRef
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import TERMINAL, Phase
from kruntimes_core.model.timers import Timers

DEFAULT_TTL_SECONDS = 3600
DELETES_AT_ONCE = 8
RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class EndedRun(msgspec.Struct, frozen=True):
    """A Run as far as its deletion is concerned; `expires` is None while it has not ended."""

    namespace: str
    name: str
    uid: str
    version: str
    expires: datetime | None


class _Meta(msgspec.Struct, rename="camel", gc=False):
    namespace: str
    name: str
    uid: str
    resource_version: str


class _Spec(msgspec.Struct, rename="camel", gc=False):
    ttl_seconds_after_finished: int | None = None


class _Status(msgspec.Struct, rename="camel", gc=False):
    phase: Phase = Phase.PENDING
    completion_time: datetime | None = None


class _Run(msgspec.Struct):
    metadata: _Meta
    spec: _Spec
    status: _Status | None = None


_decode = msgspec.json.Decoder(_Run).decode


def read_ended_run(raw: bytes | msgspec.Raw) -> EndedRun:
    """Read when a Run is to be deleted."""
    run = _decode(raw)
    meta, status, ttl = run.metadata, run.status, run.spec.ttl_seconds_after_finished
    expires = None
    if status is not None and status.phase in TERMINAL and status.completion_time is not None:
        lasting = DEFAULT_TTL_SECONDS if ttl is None else ttl
        expires = status.completion_time + timedelta(seconds=lasting)
    return EndedRun(meta.namespace, meta.name, meta.uid, meta.resource_version, expires)


class Expiry:
    """One timer for each Run that ended; it sleeps until the first is due."""

    def __init__(self, client: Client, clock: Clock, namespace: str | None = None) -> None:
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._timers: Timers[RunRef] = Timers()
        self._woken = asyncio.Event()
        self._room = asyncio.Semaphore(DELETES_AT_ONCE)

    async def run(self) -> None:
        """Delete what is due until cancelled."""
        reflector = Reflector(self._client, Selection(RUN, self._namespace), read_ended_run, self.take)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reflector.run())
            tasks.create_task(self._delete_due(tasks))

    def take(self, events: Sequence[Event[EndedRun]]) -> None:
        """Take note of Runs that ended, were changed or are gone."""
        now = self._clock.now()
        for event in events:
            match event:
                case Changed(run) if run.expires is not None:
                    self._timers.set(RunRef(run.namespace, run.name, run.uid), _due(run.expires, now))
                case Gone(run):
                    self._timers.clear(RunRef(run.namespace, run.name, run.uid))
                case Broken(error):
                    log.warning("watch broke", extra={"watch": "runs", "why": str(error)})
                case Synced() | Changed():
                    pass
        self._woken.set()

    async def _delete_due(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            for ref, _ in self._timers.pop_due(self._clock.now().monotonic):
                await self._room.acquire()
                tasks.create_task(self._delete(ref))
            first = self._timers.next()
            wake = self._woken.set
            timer = loop.call_later(max(0.0, first - self._clock.now().monotonic), wake) if first else None
            await self._woken.wait()
            if timer is not None:
                timer.cancel()

    async def _delete(self, ref: RunRef) -> None:
        try:
            await delete_run(self._client, ref)
        except ApiError as error:
            log.warning(
                "an expired Run is still there",
                extra={"run": f"{ref.namespace}/{ref.name}", "why": str(error)},
            )
            self._timers.set(ref, self._clock.now().monotonic + RETRY_SECONDS)
            self._woken.set()
        finally:
            self._room.release()


def _due(expires: datetime, now: Instant) -> float:
    return now.monotonic + (expires - now.wall).total_seconds()
