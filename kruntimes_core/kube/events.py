"""Tells people what happened, as Events: bounded, in the background, and never at anybody's cost.

The same reason for the same object is one Event, whose count grows. What there is no time to write is
dropped, and an Event that cannot be written is only logged: nothing depends on one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kruntimes_core.clock import Clock
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import AlreadyExists, ApiError, NotFound
from kruntimes_core.kube.kinds import EVENT, RUN, RUNTIME
from kruntimes_core.model.notices import Notice

# Between two writes: a pool in trouble must not keep the API server from helping it.
PAUSE_SECONDS: Final = 0.1
# Different Events that wait to be written.
MOST_WAITING: Final = 256
# Events whose count is remembered; that of others is read first.
MOST_REMEMBERED: Final = 1024
LONGEST_MESSAGE: Final = 1024
LONGEST_NAME: Final = 253
WRITE_TIMEOUT: Final = 5.0
_KINDS: Final = {kind.name: kind for kind in (RUN, RUNTIME)}

log = logging.getLogger(__name__)


class _Counted(msgspec.Struct):
    count: int = 1


_decode_count = msgspec.json.Decoder(_Counted).decode


@dataclass(frozen=True)
class Told:
    """Something that happened, how often, and when first and last."""

    notice: Notice
    times: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Reporter:
    """Which program tells, and which process of it."""

    component: str
    instance: str = field(default_factory=socket.gethostname)

    def name(self, notice: Notice) -> str:
        """Return the one name of this thing, however often it is told."""
        mark = f"{notice.about.uid} {notice.reason} {notice.warning} {self.component}"
        digest = hashlib.sha256(mark.encode()).hexdigest()[:16]
        return f"{notice.about.name[: LONGEST_NAME - len(digest) - 1].rstrip('.-')}.{digest}"

    def event(self, told: Told) -> dict[str, Any]:
        """Return the Event as it is made."""
        about, kind = told.notice.about, _KINDS[told.notice.about.kind]
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": self.name(told.notice), "namespace": about.namespace},
            "involvedObject": {
                "apiVersion": kind.api_version,
                "kind": kind.name,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "type": "Warning" if told.notice.warning else "Normal",
            "reason": told.notice.reason,
            "action": told.notice.action,
            "source": {"component": self.component},
            "reportingComponent": self.component,
            "firstTimestamp": _seconds(told.first),
        } | self.again(told, 0)

    def again(self, told: Told, before: int) -> dict[str, Any]:
        """Return what changes when the same thing is told again."""
        return {
            "count": before + told.times,
            "lastTimestamp": _seconds(told.last),
            "message": told.notice.message[:LONGEST_MESSAGE],
            "reportingInstance": self.instance,
        }


class Recorder:
    """What one process has to tell, on its way to the API server."""

    def __init__(
        self, client: Client, reporter: Reporter, clock: Clock, pause: float = PAUSE_SECONDS
    ) -> None:
        self._client = client
        self._reporter = reporter
        self.clock = clock
        self._pause = pause
        self._waiting: OrderedDict[str, Told] = OrderedDict()
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._woken = asyncio.Event()
        self._dropped = 0

    def tell(self, notice: Notice | None) -> None:
        """Take something to be told; returns at once, and None is nothing."""
        if notice is None:
            return
        name, now = self._reporter.name(notice), self.clock.now().wall
        known = self._waiting.get(name)
        if known is not None:
            self._waiting[name] = replace(known, notice=notice, times=known.times + 1, last=now)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[name] = Told(notice, 1, now, now)
            self._woken.set()
        else:
            self._dropped += 1

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                name, told = self._waiting.popitem(last=False)
                await self._write(name, told)
                await asyncio.sleep(self._pause)
            if self._dropped:
                log.warning("too much happened to tell all of it", extra={"dropped": str(self._dropped)})
                self._dropped = 0

    async def _write(self, name: str, told: Told) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                count = await self._add(name, told)
        except (ApiError, TimeoutError, msgspec.DecodeError) as error:
            log.info("an Event was not written", extra={"event": name, "why": str(error)})
            self._counts.pop(name, None)
            return
        self._counts[name] = count
        self._counts.move_to_end(name)
        if len(self._counts) > MOST_REMEMBERED:
            self._counts.popitem(last=False)

    async def _add(self, name: str, told: Told) -> int:
        """Make the Event, or raise its count; return the count."""
        ref = EVENT.named(told.notice.about.namespace, name)
        known = self._counts.get(name)
        if known is None:
            try:
                await self._client.create(EVENT, ref.namespace, self._reporter.event(told))
            except AlreadyExists:
                known = _decode_count(await self._client.get(ref)).count
            else:
                return told.times
        try:
            await self._client.patch(ref, self._reporter.again(told, known))
        except NotFound:  # an hour is over
            await self._client.create(EVENT, ref.namespace, self._reporter.event(told))
            return told.times
        return known + told.times


def _seconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
