"""Every write: judged against the latest version, made durable, then answered; it never speaks HTTP."""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver import builtin, defaults, definitions, errors, objects
from kruntimes_core.dev.apiserver.commits import Commits
from kruntimes_core.dev.apiserver.errors import ApiError, FieldError
from kruntimes_core.dev.apiserver.metadata_rules import metadata_errors
from kruntimes_core.dev.apiserver.resources import Object, Registry, Resource
from kruntimes_core.dev.apiserver.store import Entry, Event, Key, Store, encode

PROTECTED = ("default", "kube-system")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_GENERATED = 63 - 5
Change = Callable[[Object], Object]


@dataclass(frozen=True)
class Place:
    """Which object a write is about."""

    resource: Resource
    namespace: str | None
    name: str

    @property
    def key(self) -> Key:
        """Its key in the store."""
        return (self.namespace or "", self.name)

    def not_found(self) -> ApiError:
        """The error when it is not there."""
        return errors.not_found(self.resource.group, self.resource.plural, self.name)

    def conflict(self, why: str = errors.MODIFIED) -> ApiError:
        """The error when it is in another version."""
        return errors.conflict(self.resource.group, self.resource.plural, self.name, why)

    def unexpected(self, what: str, asked: str, found: str) -> ApiError:
        """The error of a deletion that was meant for another object, or for another version of it."""
        happened = "modified" if what == "ResourceVersion" else "deleted and then recreated"
        why = f"the {what} in the precondition ({asked}) does not match the {what} in record ({found})"
        why += f". The object might have been {happened}"
        # Here Kubernetes calls a resource by its kind.
        return errors.conflict(self.resource.group, self.resource.kind, self.name, why)


@dataclass(frozen=True)
class Options:
    """How a write is to be made."""

    dry_run: bool = False
    grace: int | None = None
    uid: str | None = None
    version: str | None = None
    orphan: bool = False
    put: bool = False


PLAIN = Options()


class Writes:
    """The rules of writing, over a store and its way to disk."""

    def __init__(self, store: Store, commits: Commits, registry: Registry, clock: Clock) -> None:
        self._store = store
        self._commits = commits
        self._registry = registry
        self._clock = clock

    def _time(self) -> str:
        return self._clock.now().wall.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def create(self, resource: Resource, namespace: str | None, body: Object, dry_run: bool) -> Entry:
        """Make a new object."""
        name = self._name(resource, namespace, body)
        place = Place(resource, namespace, name)
        if namespace is not None:
            self._require_namespace(place)
        birth = objects.Birth(name, namespace, str(uuid.uuid4()), self._time())
        obj = objects.born(resource, body, birth)
        if not resource.custom:
            obj = (
                definitions.established(obj, self._time())
                if definitions.is_crd(resource)
                else defaults.fresh(resource.kind, obj)
            )
        obj = self._judged(place, obj, None)
        if self._store.latest(resource.bucket, place.key) is not None:
            raise errors.already_exists(resource.group, resource.plural, name)
        return await self._write(place, obj, None, dry_run)

    def _name(self, resource: Resource, namespace: str | None, body: Object) -> str:
        metadata = objects.metadata_of(body)
        name, prefix = metadata.get("name"), metadata.get("generateName")
        if isinstance(name, str) and name:
            return name
        if not isinstance(prefix, str) or not prefix:
            wrong = FieldError(
                "FieldValueRequired", "metadata.name", None, "name or generateName is required"
            )
            raise errors.invalid(resource.group, resource.kind, "", [wrong])
        while True:
            name = prefix[:_LONGEST_GENERATED] + "".join(random.choices(_LETTERS, k=5))
            if self._store.latest(resource.bucket, (namespace or "", name)) is None:
                return name

    def _require_namespace(self, place: Place) -> None:
        namespace = place.namespace or ""
        found = self._store.latest("/namespaces", ("", namespace))
        if found is None:
            raise errors.not_found("", "namespaces", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise errors.forbidden(place.resource.group, place.resource.plural, place.name, why)

    async def change(self, place: Place, change: Change, part: str = "", options: Options = PLAIN) -> Entry:
        """Change an object, or its status alone, to what `change` makes of it."""
        resource = place.resource
        entry = self._store.latest(resource.bucket, place.key)
        if entry is None:
            raise place.not_found()
        old = entry.obj
        wanted = change(old)
        self._check_identity(place, old, wanted, options)
        if part == "status":
            new = objects.changed_status(old, wanted)
        else:
            new = objects.changed(resource, old, wanted)
            if not resource.custom:
                new = defaults.defaulted(resource.kind, new)
        new = self._judged(place, new, old)
        new = objects.counted(resource, old, new)
        if new == old:
            return entry
        return await self._write(place, None if objects.is_gone(new) else new, entry, options.dry_run)

    def _check_identity(self, place: Place, old: Object, wanted: Object, options: Options) -> None:
        """Refuse a write that is about another object, or another version of this one."""
        resource, metadata = place.resource, objects.metadata_of(wanted)
        name, namespace = metadata.get("name", place.name), metadata.get("namespace", place.namespace)
        if name != place.name:
            raise errors.bad_request(
                f"the name of the object ({name}) does not match the name on the URL ({place.name})"
            )
        if namespace != place.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        version = metadata.get("resourceVersion")
        if not version and options.put and (resource.custom or resource.update_needs_version):
            wrong = FieldError(
                "FieldValueInvalid", "metadata.resourceVersion", 0, "must be specified for an update"
            )
            raise errors.invalid(resource.group, resource.kind, place.name, [wrong])
        uid = metadata.get("uid")
        if uid and uid != old["metadata"]["uid"]:
            if options.put:
                raise place.conflict(_uid_text(uid, old["metadata"]["uid"]))
            wrong = FieldError("FieldValueInvalid", "metadata.uid", uid, "field is immutable")
            raise errors.invalid(resource.group, resource.kind, place.name, [wrong])
        if version and version != old["metadata"]["resourceVersion"]:
            raise place.conflict()

    def _judged(self, place: Place, new: Object, old: Object | None) -> Object:
        """The object pruned and with defaults, once nothing is wrong with it."""
        resource = place.resource
        if resource.schema is not None:
            new = resource.schema.normalize(new, old)
        wrong: list[FieldError] = []
        if old is None or new["metadata"] is not old["metadata"]:
            wrong += metadata_errors(resource, new, old)
        if resource.schema is not None:
            wrong += resource.schema.errors(new, old)
        elif definitions.is_crd(resource):
            wrong += definitions.faults(new)
        elif not resource.custom:
            wrong += builtin.faults(resource.kind, new, old)
        if wrong:
            raise errors.invalid(resource.group, resource.kind, place.name, wrong)
        return new

    async def delete(self, place: Place, options: Options = PLAIN) -> tuple[Entry, bool]:
        """Delete an object, or mark it where something must happen first; tells whether it is gone."""
        resource = place.resource
        entry = self._store.latest(resource.bucket, place.key)
        if entry is None:
            raise place.not_found()
        metadata = entry.obj["metadata"]
        if resource.bucket == "/namespaces" and place.name in PROTECTED:
            raise errors.forbidden("", "namespaces", place.name, "this namespace may not be deleted")
        if options.uid and options.uid != metadata["uid"]:
            raise place.unexpected("UID", options.uid, metadata["uid"])
        if options.version and options.version != metadata["resourceVersion"]:
            raise place.unexpected("ResourceVersion", options.version, metadata["resourceVersion"])
        if options.orphan and not options.dry_run:
            await self._release_dependents(metadata["uid"])
            entry = self._store.latest(resource.bucket, place.key) or entry
        left = objects.deletion(resource, entry.obj, options.grace, self._time())
        if left is entry.obj:
            return entry, False
        return await self._write(place, left, entry, options.dry_run), left is None

    async def _release_dependents(self, uid: str) -> None:
        """Take the owner out of what it owns, so that nothing goes with it."""
        for bucket, content in self._store.buckets():
            group, plural = bucket.split("/")
            resource = self._registry.of_group(group, plural)
            for entry in list(content.entries.values()):
                owners = entry.obj["metadata"].get("ownerReferences") or []
                if resource is not None and any(owner["uid"] == uid for owner in owners):
                    await self.change(
                        Place(resource, entry.key[0] or None, entry.key[1]), lambda obj: _released(obj, uid)
                    )

    async def _write(self, place: Place, obj: Object | None, old: Entry | None, dry_run: bool) -> Entry:
        if dry_run:
            shown = obj if obj is not None else (old.obj if old else {})
            return Entry(place.key, old.version if old else 0, shown, encode(shown))
        event = self._store.submit(place.resource.bucket, place.key, obj)
        await self._commits.commit(event)
        return event.shown

    async def finish(self, place: Place, obj: Object | None) -> Entry:
        """Write what the server itself decides, past the rules for its clients."""
        return await self._write(place, obj, None, dry_run=False)


def _uid_text(asked: str, found: str) -> str:
    return f"Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"


def _released(obj: Object, uid: str) -> Object:
    metadata: Mapping[str, Any] = obj["metadata"]
    owners = [owner for owner in metadata["ownerReferences"] if owner["uid"] != uid]
    return obj | {"metadata": {**metadata, "ownerReferences": owners}}


__all__ = ["PLAIN", "Event", "Options", "Place", "Writes"]
