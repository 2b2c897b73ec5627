"""The parts of the server put together over one data directory; it never listens."""

import logging
from collections.abc import Callable
from pathlib import Path

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver import definitions
from kruntimes_core.dev.apiserver.builtin import BUILTIN
from kruntimes_core.dev.apiserver.commits import Commits
from kruntimes_core.dev.apiserver.event_expiry import EventExpiry
from kruntimes_core.dev.apiserver.handlers import Handlers
from kruntimes_core.dev.apiserver.pod_log import PodLogs
from kruntimes_core.dev.apiserver.reads import Reads
from kruntimes_core.dev.apiserver.resources import Object, Registry, Resource
from kruntimes_core.dev.apiserver.sqlite_log import SqliteLog
from kruntimes_core.dev.apiserver.store import Entry, Event, Store, decode
from kruntimes_core.dev.apiserver.teardown import Teardown
from kruntimes_core.dev.apiserver.watch import Hub
from kruntimes_core.dev.apiserver.watch_stream import Watches
from kruntimes_core.dev.apiserver.writes import PROTECTED, Change, Place, Writes

log = logging.getLogger(__name__)


def _with_spec(spec: Object) -> Change:
    return lambda old: old | {"spec": old["spec"] | spec}


class Plane:
    """Everything behind the HTTP front."""

    def __init__(self, data: Path, clock: Clock, on_failure: Callable[[Exception], None]) -> None:
        self._disk = SqliteLog(data / "state.db")
        self.store = Store(self._disk.version())
        self.registry = Registry(BUILTIN)
        self.hub = Hub()
        self._load()
        self.store.listen(self._follow_definitions)
        self.store.listen(self.hub.publish)
        self.writes = Writes(self.store, Commits(self.store, self._disk, on_failure), self.registry, clock)
        self.teardown = Teardown(self.store, self.registry, self.writes)
        self.store.listen(self.teardown.notice)
        self.events = EventExpiry(self.store, self.writes, self._resource("", "events"), clock)
        self.store.listen(self.events.notice)
        self.handlers = Handlers(
            store=self.store,
            reads=Reads(self.store),
            writes=self.writes,
            watches=Watches(self.store, self.hub, clock),
            logs=PodLogs(data / "pods", self.store),
            clock=clock,
        )

    def _load(self) -> None:
        for row in self._disk.rows():
            assert row.content is not None
            entry = Entry((row.namespace, row.name), row.version, decode(row.content), row.content)
            self.store.load(row.bucket, entry)
        for entry in self.store.listing(definitions.BUCKET, None):
            for resource in definitions.resources(entry.obj):
                self.registry.add(resource)

    def _follow_definitions(self, event: Event) -> None:
        """Serve what a CRD says from the moment it is visible."""
        if event.bucket != definitions.BUCKET:
            return
        spec = event.shown.obj["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        if event.new is not None and event.old is not None and event.new.obj["spec"] == event.old.obj["spec"]:
            return
        self.registry.remove(group, plural)
        if event.new is None:
            self.hub.end_all(f"{group}/{plural}")
            return
        for resource in definitions.resources(event.new.obj):
            self.registry.add(resource)

    async def prepare(self, crds: list[Object]) -> None:
        """Make sure of the namespaces and of these CRDs, in the form given here."""
        namespaces = self._resource("", "namespaces")
        for name in PROTECTED:
            if self.store.get(namespaces.bucket, ("", name)) is None:
                await self.writes.create(namespaces, None, {"metadata": {"name": name}}, dry_run=False)
        resource = self._resource(definitions.GROUP, definitions.PLURAL)
        for crd in crds:
            name = crd["metadata"]["name"]
            if self.store.get(resource.bucket, ("", name)) is None:
                await self.writes.create(resource, None, crd, dry_run=False)
            else:
                await self.writes.change(Place(resource, None, name), _with_spec(crd["spec"]))

    def _resource(self, group: str, plural: str) -> Resource:
        found = self.registry.get(group, "v1", plural)
        assert found is not None
        return found

    def close(self) -> None:
        """End the watches and let go of the disk."""
        self.hub.end_all()
        self._disk.close()
