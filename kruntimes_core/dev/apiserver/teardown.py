"""The end of namespaces and CRDs: what is in them goes first; it never touches anything else."""

import asyncio
import logging
from collections.abc import Iterator

from kruntimes_core.dev.apiserver import definitions
from kruntimes_core.dev.apiserver.errors import ApiError
from kruntimes_core.dev.apiserver.resources import Object, Registry, Resource
from kruntimes_core.dev.apiserver.store import Entry, Event, Store
from kruntimes_core.dev.apiserver.writes import Place, Writes

log = logging.getLogger(__name__)
_NAMESPACES = "/namespaces"


def _ending(entry: Entry) -> bool:
    return bool(entry.obj["metadata"].get("deletionTimestamp"))


class Teardown:
    """One loop that looks again whenever something changed while something is ending."""

    def __init__(self, store: Store, registry: Registry, writes: Writes) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._changed = asyncio.Event()
        self._ending = self._any_ending()
        if self._ending:
            self._changed.set()

    def _any_ending(self) -> bool:
        return any(
            _ending(e) for b in (_NAMESPACES, definitions.BUCKET) for e in self._store.listing(b, None)
        )

    def notice(self, event: Event) -> None:
        """See an event; only the ends of namespaces and CRDs, and what happens meanwhile, matter."""
        if event.bucket in (_NAMESPACES, definitions.BUCKET) and _ending(event.shown):
            self._ending = True
        if self._ending:
            self._changed.set()

    async def run(self) -> None:
        """Carry the ends out until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for entry in self._store.listing(_NAMESPACES, None):
                if _ending(entry):
                    await self._end_namespace(entry)
            for entry in self._store.listing(definitions.BUCKET, None):
                if _ending(entry):
                    await self._end_definition(entry)
            self._ending = self._any_ending()

    def _contents(self, namespace: str) -> Iterator[tuple[Resource, Entry]]:
        for bucket, _ in self._store.buckets():
            group, plural = bucket.split("/")
            resource = self._registry.of_group(group, plural)
            if resource is not None and resource.namespaced:
                for entry in self._store.listing(bucket, namespace):
                    yield resource, entry

    async def _end_namespace(self, entry: Entry) -> None:
        name = entry.key[1]
        for resource, content in list(self._contents(name)):
            await self._delete(Place(resource, name, content.key[1]), content)
        if not any(self._contents(name)):
            namespaces = self._registry.get("", "v1", "namespaces")
            assert namespaces is not None
            await self._writes.finish(Place(namespaces, None, name), None)

    async def _end_definition(self, entry: Entry) -> None:
        spec = entry.obj["spec"]
        resource = self._registry.of_group(spec["group"], spec["names"]["plural"])
        bucket = f"{spec['group']}/{spec['names']['plural']}"
        for content in self._store.listing(bucket, None):
            if resource is not None:
                await self._delete(Place(resource, content.key[0] or None, content.key[1]), content)
        if not self._store.listing(bucket, None):
            place = Place(self._crds(), None, entry.key[1])
            await self._writes.change(place, _without_finalizer)

    def _crds(self) -> Resource:
        found = self._registry.get(definitions.GROUP, "v1", definitions.PLURAL)
        assert found is not None
        return found

    async def _delete(self, place: Place, content: Entry) -> None:
        if _ending(content):
            return  # its finalizers, or the kubelet, have it in hand
        try:
            await self._writes.delete(place)
        except ApiError as error:
            if error.code != 404:  # someone else was first
                log.warning("could not delete %s: %s", place.name, error)


def _without_finalizer(obj: Object) -> Object:
    metadata = obj["metadata"]
    left = [each for each in metadata.get("finalizers") or () if each != definitions.FINALIZER]
    return obj | {"metadata": metadata | {"finalizers": left}}
