"""Which objects have lost all their owners. Pure: told what exists, it says whom to look at."""

from collections.abc import Iterable

from kruntimes_core.dev.objects import Dependent, Owner


class Ownership:
    """The objects that are followed, by UID, and who depends on whom."""

    def __init__(self) -> None:
        self._objects: dict[str, Dependent] = {}
        self._dependents: dict[str, set[str]] = {}

    def put(self, item: Dependent) -> bool:
        """Take a new or changed object; True when none of its owners is known to exist."""
        self._forget(item.uid)
        self._objects[item.uid] = item
        for owner in item.owners:
            self._dependents.setdefault(owner.uid, set()).add(item.uid)
        return self.is_suspect(item.uid)

    def remove(self, uid: str) -> list[str]:
        """Take the end of an object; returns its dependents that have no known owner now."""
        self._forget(uid)
        return [child for child in sorted(self._dependents.get(uid, ())) if self.is_suspect(child)]

    def is_suspect(self, uid: str) -> bool:
        """Tell whether an object has owners and none of them is known to exist."""
        item = self._objects.get(uid)
        if item is None or item.leaving or not item.owners:
            return False
        return not any(owner.uid in self._objects for owner in item.owners)

    def suspects(self) -> list[str]:
        """Return all such objects."""
        return [uid for uid in self._objects if self.is_suspect(uid)]

    def get(self, uid: str) -> Dependent | None:
        """Return an object as last seen."""
        return self._objects.get(uid)

    def _forget(self, uid: str) -> None:
        known = self._objects.pop(uid, None)
        for owner in _owners(known):
            children = self._dependents.get(owner.uid, set())
            children.discard(uid)
            if not children:
                self._dependents.pop(owner.uid, None)


def _owners(item: Dependent | None) -> Iterable[Owner]:
    return item.owners if item is not None else ()
