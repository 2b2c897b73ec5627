"""Objects of the API as the dev process follows them: whole, or only who owns them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kruntimes_core.kube.kinds import Kind, Ref


@dataclass(frozen=True)
class Whole:
    """An object with everything in it."""

    body: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.body["metadata"]["uid"])

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def leaving(self) -> bool:
        """Whether somebody has asked for its deletion."""
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def controller(self) -> str:
        """UID of the owner that controls it, empty without one."""
        owners = self.body["metadata"].get("ownerReferences") or ()
        return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")


def read_whole(raw: msgspec.Raw) -> Whole:
    """Return the object in the bytes."""
    return Whole(msgspec.json.decode(raw))


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """One owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    uid: str
    resource_version: str
    namespace: str = ""
    owner_references: tuple[Owner, ...] = ()
    deletion_timestamp: str | None = None


class _Owned(msgspec.Struct, frozen=True):
    metadata: _Metadata


@dataclass(frozen=True)
class Dependent:
    """An object as the garbage collector sees it: which one it is, and who owns it."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    version: str
    owners: tuple[Owner, ...]
    leaving: bool

    @property
    def ref(self) -> Ref:
        """Where it is in the API."""
        return self.kind.named(self.namespace or None, self.name)


_decode_owned = msgspec.json.Decoder(_Owned).decode


def read_dependent(kind: Kind, raw: msgspec.Raw) -> Dependent:
    """Return what the garbage collector needs of the object in the bytes."""
    found = _decode_owned(raw).metadata
    return Dependent(
        kind=kind,
        namespace=found.namespace,
        name=found.name,
        uid=found.uid,
        version=found.resource_version,
        owners=found.owner_references,
        leaving=found.deletion_timestamp is not None,
    )
