"""Follows the Runs assigned to this member in the API; tells the machine of each and writes nothing."""

import asyncio
import logging
from collections.abc import Sequence

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.wishes import serve_wishes
from kruntimes_core.daemon.machine import Seat
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import decode_run_with_spec
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Broken, Event, Reflector, Selection, Synced
from kruntimes_core.model.run import Run

log = logging.getLogger(__name__)


class AssignedRuns:
    """The Runs of one member, as the API shows them."""

    def __init__(self, client: Client, seat: Seat, driver: Driver) -> None:
        self._client = client
        self._selection = Selection(RUN, seat.namespace, field_selector=f"status.assignedPod={seat.pod}")
        self._driver = driver
        self._known: set[str] = set()
        self._listing = True
        self.wanted = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled; list anew whenever that is wanted."""
        await serve_wishes(self.wanted, self._follow)

    async def _follow(self) -> None:
        """Begin with an empty copy: all there is comes as changed, and the rest of what was known is gone."""
        self._listing = True
        listed: set[str] = set()

        def take(events: Sequence[Event[Run]]) -> None:
            for event in events:
                self._take(event, listed)

        await Reflector(self._client, self._selection, decode_run_with_spec, take).run()

    def _take(self, event: Event[Run], listed: set[str]) -> None:
        machine = self._driver.machine
        match event:
            case Changed(run):
                listed.add(run.uid)
                self._known.add(run.uid)
                self._driver.tell(machine.run_changed, run)
            case Gone(run):
                self._forget(run.uid)
            case Synced() if self._listing:
                self._listing = False
                for uid in self._known - listed:
                    self._forget(uid)
                self._driver.tell(machine.runs_synced)
            case Synced():
                log.info("the API server can be followed again")
            case Broken(error):
                log.warning("Runs cannot be followed: %s", error)

    def _forget(self, uid: str) -> None:
        self._known.discard(uid)
        self._driver.tell(self._driver.machine.run_gone, uid)
