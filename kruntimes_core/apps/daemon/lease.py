"""Keeps this member's lease and what it announces; what a lease that ran out means is not decided here."""

import asyncio
import logging
import random
from typing import Final

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.daemon.machine import Announcement, Seat
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError, NotFound
from kruntimes_core.kube.kinds import LEASE
from kruntimes_core.kube.writes import renew_lease, write_lease
from kruntimes_core.model.runtime import Member

log = logging.getLogger(__name__)

# After a failure the next try comes soon: a lease that runs out ends Runs.
RETRY: Final = 0.1


class LeaseKeeper:
    """The Lease of one member."""

    def __init__(self, client: Client, seat: Seat, lease_seconds: float, driver: Driver) -> None:
        self._client = client
        self._seat = seat
        self._lease_seconds = lease_seconds
        self._renewal = lease_seconds / 3
        self._driver = driver
        self._wanted = Announcement()
        self._written: Announcement | None = None
        self._failures = 0
        self._news = asyncio.Event()

    def announce(self, announcement: Announcement) -> None:
        """See to it that the lease says so, soon."""
        if announcement != self._wanted:
            self._wanted = announcement
            self._news.set()

    async def run(self) -> None:
        """Renew until cancelled; the second renewal comes early by chance, so that members spread out."""
        period = self._renewal * random.uniform(0.5, 1.0)
        while True:
            self._news.clear()
            sent_at = self._driver.clock.now().monotonic
            if await self._renew():
                self._driver.tell(self._driver.machine.lease_renewed, sent_at)
                await self._wait(sent_at + period - self._driver.clock.now().monotonic)
                period = self._renewal
            else:
                # Not cut short by news: a server that is down is not asked more often for it.
                await asyncio.sleep(
                    min(RETRY * 2**self._failures, self._renewal / 4) * random.uniform(0.5, 1.0)
                )

    async def give_up(self) -> None:
        """Remove the lease: nobody has to wait for its end."""
        try:
            await self._client.delete(LEASE.named(self._seat.namespace, self._seat.pod))
        except NotFound:
            return
        except ApiError as error:
            log.warning("the lease is left to run out: %s", error)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _renew(self) -> bool:
        """Send one request; what is announced goes along only when it is news."""
        wanted = self._wanted
        act = renew_lease if wanted == self._written else write_lease
        try:
            await act(self._client, self._member(wanted), self._driver.clock.now().wall, self._renewal)
        except NotFound:
            self._written = None
            return await self._renew() if act is renew_lease else False
        except ApiError as error:
            if not self._failures:
                log.warning("the lease cannot be renewed: %s", error)
            self._failures = min(self._failures + 1, 8)
            return False
        if self._failures:
            log.info("the lease is renewed again")
        self._failures, self._written = 0, wanted
        return True

    def _member(self, said: Announcement) -> Member:
        return Member(
            namespace=self._seat.namespace,
            name=self._seat.pod,
            runtime=self._seat.runtime,
            version="",
            pod_uid=self._seat.pod_uid,
            instance=said.instance,
            accept_state=said.accept_state,
            capacity=said.capacity,
            lease_seconds=self._lease_seconds,
        )
