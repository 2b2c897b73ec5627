"""Keeps each Runtime's Deployment and status as pools/ says they should be; it makes no rule of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import RUNTIME_LABEL, decode_member
from kruntimes_core.kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from kruntimes_core.kube.events import Recorder
from kruntimes_core.kube.kinds import DEPLOYMENT, LEASE, RUNTIME, SERVICE_ACCOUNT, Kind
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Broken, Event, Reflector, Selection, Synced
from kruntimes_core.model.notices import Notice
from kruntimes_core.model.runtime import Member
from kruntimes_core.model.timers import Timers
from kruntimes_core.pools import notices
from kruntimes_core.pools.condition import (
    TEMPLATE_REFUSED,
    Verdict,
    judge_members,
    name_taken,
    refused,
    rejected,
    status_of,
)
from kruntimes_core.pools.judge import judge
from kruntimes_core.pools.pool import Object, Pool, read_pool
from kruntimes_core.pools.presence import Presence
from kruntimes_core.pools.render import (
    differs,
    is_owned,
    merged,
    render_deployment,
    render_service_account,
)

RETRY_SECONDS = 2.0
# What others must mend (a quota, a name that is taken) is looked at again this often.
LOOK_AGAIN_SECONDS = 30.0
Key = tuple[str, str]

log = logging.getLogger(__name__)


class StoredDeployment(msgspec.Struct, frozen=True):
    """A Deployment, whole."""

    namespace: str
    name: str
    uid: str
    version: str
    runtime: str
    item: dict[str, Any]


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def read_deployment(raw: bytes | msgspec.Raw) -> StoredDeployment:
    """Read a Deployment."""
    item = _decode_object(raw)
    meta = item["metadata"]
    runtime = (meta.get("labels") or {}).get(RUNTIME_LABEL, "")
    return StoredDeployment(
        meta["namespace"], meta["name"], meta["uid"], meta["resourceVersion"], runtime, item
    )


def decode_pool(raw: bytes | msgspec.Raw) -> Pool:
    """Read a Runtime, whole."""
    return read_pool(_decode_object(raw))


class PoolKeeper:
    """Looks at a Runtime again whenever it, its Deployment or one of its members changed."""

    def __init__(
        self, client: Client, recorder: Recorder, daemon_image: str, namespace: str | None = None
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = recorder.clock
        self._image = daemon_image
        self._namespace = namespace
        self._due: Timers[Key] = Timers()
        self._presence = Presence()
        self._woken = asyncio.Event()
        self._unsynced = {RUNTIME, DEPLOYMENT, LEASE}
        labelled = partial(Selection, namespace=namespace, label_selector=RUNTIME_LABEL)
        self._pools = Reflector(client, Selection(RUNTIME, namespace), decode_pool, self._take_pools)
        self._deployments = Reflector(client, labelled(DEPLOYMENT), read_deployment, self._take_deployments)
        self._leases = Reflector(client, labelled(LEASE), decode_member, self._take_members)

    async def run(self) -> None:
        """Keep the pools until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in (self._pools, self._deployments, self._leases):
                tasks.create_task(reflector.run())
            tasks.create_task(self._look())

    # What the watches show.

    def _take_pools(self, events: Sequence[Event[Pool]]) -> None:
        for event in events:
            match event:
                case Changed(pool):
                    self._mark((pool.namespace, pool.name))
                case Synced() | Broken():
                    self._heed(RUNTIME, event)
                case Gone():
                    pass  # its Deployment is owned by it, and goes with it

    def _take_deployments(self, events: Sequence[Event[StoredDeployment]]) -> None:
        for event in events:
            match event:
                case Changed(stored) | Gone(stored):
                    self._mark((stored.namespace, stored.runtime))
                case Synced() | Broken():
                    self._heed(DEPLOYMENT, event)

    def _take_members(self, events: Sequence[Event[Member]]) -> None:
        now = self._clock.now().monotonic
        for event in events:
            match event:
                case Changed(member):
                    if not self._presence.knows(member):
                        self._tell(notices.appeared, member)
                    if self._presence.show(member, now):
                        self._mark((member.namespace, member.runtime))
                case Gone(member):
                    if self._presence.knows(member):
                        self._tell(notices.left, member)
                    self._presence.drop(member.namespace, member.name)
                    self._mark((member.namespace, member.runtime))
                case Synced() | Broken():
                    self._heed(LEASE, event)
                    self._presence.restart(now)

    def _tell(self, notice: Callable[[Pool, Member], Notice], member: Member) -> None:
        """Tell what became of a member; those that were there before us are no news."""
        pool = self._pools.mirror.get(member.namespace, member.runtime)
        if pool is not None and LEASE not in self._unsynced:
            self._recorder.tell(notice(pool, member))

    def _heed(self, kind: Kind, event: Synced | Broken) -> None:
        """While a watch is broken nothing is concluded from what it does not show."""
        match event:
            case Synced():
                self._unsynced.discard(kind)
            case Broken(error):
                log.warning("watch broke", extra={"watch": kind.plural, "why": str(error)})
                self._unsynced.add(kind)
        self._woken.set()

    def _mark(self, key: Key, after: float = 0.0) -> None:
        self._due.set(key, self._clock.now().monotonic + after)
        self._woken.set()

    # What is to be done.

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # all that has arrived by now is looked at together
            self._woken.clear()
            timer = None
            if not self._unsynced:
                now = self._clock.now().monotonic
                for member in self._presence.end(now):
                    self._tell(notices.lost, member)
                    self._due.set((member.namespace, member.runtime), now)
                for key, _ in self._due.pop_due(now):
                    await self._keep(key)
                ahead = [when for when in (self._due.next(), self._presence.next_end()) if when is not None]
                if ahead:
                    delay = max(0.0, min(ahead) - self._clock.now().monotonic)
                    timer = loop.call_later(delay, self._woken.set)
            await self._woken.wait()
            if timer is not None:
                timer.cancel()

    async def _keep(self, key: Key) -> None:
        pool = self._pools.mirror.get(*key)
        if pool is None:
            return
        try:
            verdict = await self._judged(pool)
            stored = self._deployments.mirror.get(pool.namespace, pool.deployment)
            deployment = None if stored is None else stored.item
            members = self._presence.of(key)
            if verdict is None:
                verdict = judge_members(pool, deployment, members)
            elif verdict.reason != TEMPLATE_REFUSED:
                self._mark(key, LOOK_AGAIN_SECONDS)
            await self._write_status(pool, verdict, deployment, members)
        except Conflict:
            self._mark(key, RETRY_SECONDS)  # the watch will have shown what is there now
        except ApiError as error:
            log.warning("a pool is not kept", extra={"runtime": "/".join(key), "why": str(error)})
            self._mark(key, RETRY_SECONDS)

    async def _judged(self, pool: Pool) -> Verdict | None:
        if refusals := judge(pool):
            return refused(refusals)
        try:
            return None if await self._make(pool) else name_taken(pool)
        except (Invalid, BadRequest, Forbidden) as error:
            return rejected(error.message)

    async def _make(self, pool: Pool) -> bool:
        """Write what differs; False when something of another owner is in the way."""
        wanted = render_deployment(pool, self._image)
        stored = self._deployments.mirror.get(pool.namespace, pool.deployment)
        if stored is None:
            account = render_service_account(pool)
            done = await self._create(pool, SERVICE_ACCOUNT, account) and await self._create(
                pool, DEPLOYMENT, wanted
            )
            self._recorder.tell(notices.made(pool) if done else None)
            return done
        if not is_owned(stored.item, pool):
            return False
        if differs(stored.item, wanted):
            log.info("changing a pool", extra={"runtime": f"{pool.namespace}/{pool.name}"})
            ref = DEPLOYMENT.named(pool.namespace, pool.deployment)
            await self._client.update(ref, merged(stored.item, wanted))
            self._recorder.tell(notices.changed(pool, stored.item, wanted))
        return True

    async def _create(self, pool: Pool, kind: Kind, wanted: dict[str, Any]) -> bool:
        try:
            await self._client.create(kind, pool.namespace, wanted)
        except AlreadyExists:
            there = await self._client.get(kind.named(pool.namespace, pool.deployment))
            return is_owned(_decode_object(there), pool)
        log.info("made", extra={"kind": kind.name, "object": f"{pool.namespace}/{pool.deployment}"})
        return True

    async def _write_status(
        self, pool: Pool, verdict: Verdict, deployment: Object | None, members: Sequence[Member]
    ) -> None:
        status = status_of(pool, verdict, deployment, members, self._clock.now().wall)
        if status is None:
            return
        trouble = notices.judged(pool, verdict)
        body = {"metadata": {"resourceVersion": pool.version}, "status": status}
        try:
            await self._client.patch_status(RUNTIME.named(pool.namespace, pool.name), body)
        except NotFound:  # deleted meanwhile; its watch will say so
            return
        self._recorder.tell(trouble)
