"""The copy of one collection: what is news and what is old; never talks to anyone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Observed(Protocol):
    """Any object of the API server, as far as telling news from old needs it."""

    @property
    def namespace(self) -> str:
        """Namespace, empty for kinds without one."""

    @property
    def name(self) -> str:
        """Name."""

    @property
    def uid(self) -> str:
        """UID: a name may be given again, a UID never is."""

    @property
    def version(self) -> str:
        """Its resourceVersion."""


T = TypeVar("T", bound=Observed)
T_co = TypeVar("T_co", bound=Observed, covariant=True)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Changed(Generic[T_co]):
    """An object is new or has a newer version."""

    object: T_co


@dataclass(frozen=True, slots=True)
class Gone(Generic[T_co]):
    """An object was deleted, or left the selection; this is how it was last seen."""

    object: T_co


class Mirror(Generic[T]):
    """Objects by namespace and name, and the version up to which everything has been seen.

    Versions are decimal numbers that compare, as Kubernetes promises. Events of one collection come in their
    order, so whatever is older than the newest seen is a repetition.
    """

    def __init__(self) -> None:
        self.version = ""
        self._objects: dict[Key, T] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[T]:
        return iter(self._objects.values())

    def get(self, namespace: str, name: str) -> T | None:
        """Give the object as last seen."""
        return self._objects.get((namespace, name))

    def put(self, item: T) -> list[Changed[T] | Gone[T]]:
        """Take an object that was added or modified; nothing comes back when it is old news."""
        if is_older(item.version, self.version):
            return []
        key = (item.namespace, item.name)
        known = self._objects.get(key)
        if known is not None and known.version == item.version:
            return []
        self._objects[key] = item
        self.version = item.version
        if known is not None and known.uid != item.uid:
            return [Gone(known), Changed(item)]
        return [Changed(item)]

    def remove(self, item: T) -> list[Changed[T] | Gone[T]]:
        """Take an object that was deleted; nothing comes back when it is old news."""
        if is_older(item.version, self.version):
            return []
        self.version = item.version
        known = self._objects.pop((item.namespace, item.name), None)
        return [] if known is None else [Gone(item)]

    def advance(self, version: str) -> None:
        """Take a bookmark."""
        if not is_older(version, self.version):
            self.version = version

    def replace(self, items: Iterable[T], version: str) -> list[Changed[T] | Gone[T]]:
        """Take a complete list; tell what differs from what was known.

        A list is the server's truth: when its version is below ours, the store itself was put back.
        """
        put_back = is_older(version, self.version)
        listed = {(item.namespace, item.name): item for item in items}
        events: list[Changed[T] | Gone[T]] = []
        for key, known in list(self._objects.items()):
            if key not in listed or listed[key].uid != known.uid:
                del self._objects[key]
                events.append(Gone(known))
        for key, item in listed.items():
            if self._is_news(self._objects.get(key), item, put_back):
                self._objects[key] = item
                events.append(Changed(item))
        self.version = version
        return events

    def _is_news(self, known: T | None, item: T, put_back: bool) -> bool:
        if known is None:
            return True
        return known.version != item.version if put_back else is_older(known.version, item.version)


def is_older(version: str, than: str) -> bool:
    """Say whether one resourceVersion is before another; before the first there is none."""
    return bool(than) and int(version) < int(than)
