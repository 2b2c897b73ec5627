"""Events go an hour after they were last written, as on a real server; it touches no other object."""

import asyncio
import logging
from collections import OrderedDict

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver.errors import ApiError
from kruntimes_core.dev.apiserver.resources import Resource
from kruntimes_core.dev.apiserver.store import Event, Key, Store
from kruntimes_core.dev.apiserver.writes import Place, Writes

LIFETIME = 3600.0
LOOK_EVERY = 60.0

log = logging.getLogger(__name__)


class EventExpiry:
    """The Events in the order of their last writes; those found at the start count as written then."""

    def __init__(self, store: Store, writes: Writes, resource: Resource, clock: Clock) -> None:
        self._writes = writes
        self._resource = resource
        self._clock = clock
        now = clock.now().monotonic
        self._written: OrderedDict[Key, float] = OrderedDict()
        for entry in store.listing(resource.bucket, None):
            self._written[entry.key] = now

    def notice(self, event: Event) -> None:
        """See a write; only those of Events matter."""
        if event.bucket != self._resource.bucket:
            return
        self._written.pop(event.shown.key, None)
        if event.new is not None:
            self._written[event.shown.key] = self._clock.now().monotonic

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.sweep()

    async def sweep(self) -> None:
        """Delete those whose hour is over."""
        limit = self._clock.now().monotonic - LIFETIME
        for key in [key for key, written in self._written.items() if written <= limit]:
            namespace, name = key
            self._written.pop(key, None)
            try:
                await self._writes.delete(Place(self._resource, namespace, name))
            except ApiError as error:
                if error.code != 404:  # deleted meanwhile
                    log.warning("could not delete Event %s: %s", name, error)
