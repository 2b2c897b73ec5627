"""Hands what the runtime server says of itself and its Runs to the machine; asks for nothing by itself."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as types

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.daemon.server import ServerStatus
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.rpc.codec import read_key, read_run, read_status

log = logging.getLogger(__name__)


class ServerNews:
    """What came from one server, and how new it was."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._machine = driver.machine
        self._status: ServerStatus | None = None
        self._revisions: dict[RunKey, int] = {}
        self._leaving = False
        self.whole = asyncio.Event()
        """Everything the server holds has been seen once."""
        self.missed = 0
        """Changes that Watch should have told of and did not."""

    @property
    def keys(self) -> frozenset[RunKey]:
        """The Runs the server holds."""
        return frozenset(self._revisions)

    def greet(self, status: status_pb2.ServerStatus) -> None:
        """Take what Handshake answered; nothing known of another process counts any more."""
        self._revisions.clear()
        self._status = self._adjust(read_status(status))
        self._driver.tell(self._machine.handshaken, self._status)

    def leave(self) -> None:
        """From now on the server counts as draining, whatever it says: this daemon is about to end."""
        self._leaving = True
        if self._status is not None:
            self._driver.tell(self._machine.server_status, self._adjust(self._status))

    def take_status(self, status: status_pb2.ServerStatus) -> None:
        """Take the server's status."""
        self._status = self._adjust(read_status(status))
        self._driver.tell(self._machine.server_status, self._status)

    def take_event(self, event: wire.WatchResponse) -> None:
        """Take one message of Watch."""
        match event.WhichOneof("event"):
            case "run":
                self._take_run(event.run)
            case "server":
                self.take_status(event.server)
            case "forgotten":
                self._take_forgotten(read_key(event.forgotten))
            case "snapshot_end":
                self._take_whole()
            case _:
                pass  # a heartbeat, or something a later server says

    def take_list(self, runs: Iterable[types.Run]) -> bool:
        """Take a whole list; return whether it held anything new."""
        before = dict(self._revisions)
        listed = {read_key(run.key): run for run in runs}
        for key in before.keys() - listed.keys():
            self._take_forgotten(key)
        for key, run in listed.items():
            if before.get(key) != run.revision:
                self._take_run(run)
        self._take_whole()
        return self._revisions != before

    def find_news(self, runs: Iterable[types.Run]) -> set[tuple[RunKey, int]]:
        """Which of these are newer than what has been seen."""
        found = {(read_key(run.key), run.revision) for run in runs}
        return {(key, revision) for key, revision in found if revision > self._revisions.get(key, -1)}

    def count_missed(self, news: Iterable[tuple[RunKey, int]]) -> None:
        """Count those that are news still."""
        missed = sum(1 for key, revision in news if revision > self._revisions.get(key, -1))
        self.missed += missed
        if missed:
            log.error("Watch missed changes", extra={"missed": missed, "in_all": self.missed})

    def _take_run(self, run: types.Run) -> None:
        snapshot = read_run(run)
        self._revisions[snapshot.key] = snapshot.revision
        self._driver.tell(self._machine.server_run, snapshot)

    def _take_forgotten(self, key: RunKey) -> None:
        self._revisions.pop(key, None)
        self._driver.tell(self._machine.server_forgot, key)

    def _take_whole(self) -> None:
        self.whole.set()
        self._driver.tell(self._machine.server_synced)

    def _adjust(self, status: ServerStatus) -> ServerStatus:
        return replace(status, accept_state=AcceptState.DRAINING) if self._leaving else status
