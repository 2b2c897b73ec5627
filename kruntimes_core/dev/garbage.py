"""Deletes objects whose owners are all gone; follows the kinds that own or are owned."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

import msgspec

from kruntimes_core.dev.objects import Dependent, Owner, read_dependent
from kruntimes_core.dev.ownership import Ownership
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.errors import ApiError, Conflict, NotFound
from kruntimes_core.kube.kinds import Kind
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Event, Reflector, Selection, Synced

FOLLOWED = (
    kinds.RUNTIME,
    kinds.DEPLOYMENT,
    kinds.POD,
    kinds.LEASE,
    kinds.CONFIG_MAP,
    kinds.SECRET,
    kinds.SERVICE_ACCOUNT,
)
AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class _Resource(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool


class _Resources(msgspec.Struct):
    resources: list[_Resource]


class _Meta(msgspec.Struct):
    uid: str


class _Object(msgspec.Struct):
    metadata: _Meta


class GarbageCollector:
    """Follows ownership and deletes what nobody owns any more."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ownership = Ownership()
        self._suspects: asyncio.Queue[str] = asyncio.Queue()
        self._whole: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in FOLLOWED:
                reflector: Reflector[Dependent] = Reflector(
                    self._client, Selection(kind), partial(read_dependent, kind), partial(self._take, kind)
                )
                group.create_task(reflector.run())
            group.create_task(self._judge_all())

    def _take(self, kind: Kind, events: Sequence[Event[Dependent]]) -> None:
        for event in events:
            match event:
                case Changed(item):
                    self._suspect([item.uid] if self._ownership.put(item) else [])
                case Gone(item):
                    self._suspect(self._ownership.remove(item.uid))
                case Synced():
                    self._whole.add(kind.plural)
                    # An owner may be of a kind that came later than its dependent's.
                    self._suspect(self._ownership.suspects())

    def _suspect(self, uids: Sequence[str]) -> None:
        if len(self._whole) == len(FOLLOWED):
            for uid in uids:
                self._suspects.put_nowait(uid)

    async def _judge_all(self) -> None:
        while True:
            uid = await self._suspects.get()
            try:
                await self._judge(uid)
            except ApiError as error:
                log.warning("cannot tell whether an object is still owned: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
                self._suspects.put_nowait(uid)

    async def _judge(self, uid: str) -> None:
        """Ask the API server itself, since what is followed may be behind it; then delete."""
        item = self._ownership.get(uid)
        if item is None or not self._ownership.is_suspect(uid):
            return
        for owner in item.owners:
            if await self._exists(owner, item.namespace):
                return
        try:
            await self._client.delete(item.ref, uid=uid)
            log.info("deleted %s, whose owner is gone", item.ref)
        except (NotFound, Conflict):
            pass  # somebody else deleted it, or another object has its name now

    async def _exists(self, owner: Owner, namespace: str) -> bool:
        kind = await self._kind_of(owner)
        if kind is None:
            return False
        try:
            body = await self._client.get(kind.named(namespace if kind.namespaced else None, owner.name))
        except NotFound:
            return False
        return msgspec.json.decode(body, type=_Object).metadata.uid == owner.uid

    async def _kind_of(self, owner: Owner) -> Kind | None:
        for kind in FOLLOWED:
            if (kind.api_version, kind.name) == (owner.api_version, owner.kind):
                return kind
        group, _, version = owner.api_version.rpartition("/")
        path = f"/apis/{owner.api_version}" if group else f"/api/{version}"
        try:
            found = msgspec.json.decode(await self._client.send(Request("GET", path)), type=_Resources)
        except NotFound:
            return None
        for resource in found.resources:
            if resource.kind == owner.kind and "/" not in resource.name:
                return Kind(group, version, resource.name, resource.kind, resource.namespaced)
        return None
