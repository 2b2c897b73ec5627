"""Keeps as many Pods of each Deployment as it asks for; the Pods are its own, with no ReplicaSet between."""

import asyncio
import logging
import secrets
from collections.abc import Sequence

import msgspec

from kruntimes_core.dev.objects import Whole, read_whole
from kruntimes_core.dev.rollout import deployment_status, new_pod, plan
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError, Conflict, NotFound
from kruntimes_core.kube.mirror import Changed, Gone, is_older
from kruntimes_core.kube.watch import Event, Reflector, Selection, Synced

AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class DeploymentController:
    """Follows Deployments and their Pods, and makes the second fit the first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._deployments: Reflector[Whole] = Reflector(
            client, Selection(kinds.DEPLOYMENT), read_whole, self._take_deployments
        )
        self._pods: Reflector[Whole] = Reflector(client, Selection(kinds.POD), read_whole, self._take_pods)
        # Own writes that the watch has not told yet; without them each would be done twice.
        self._created: dict[str, Whole] = {}
        self._deleted: set[str] = set()
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._synced: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deployments.run())
            group.create_task(self._pods.run())
            group.create_task(self._reconcile_all())

    def _take_deployments(self, events: Sequence[Event[Whole]]) -> None:
        for event in events:
            match event:
                case Changed(item):
                    self._mark(item.uid)
                case Synced():
                    self._sync("deployments")

    def _take_pods(self, events: Sequence[Event[Whole]]) -> None:
        for event in events:
            match event:
                case Changed(pod):
                    self._created.pop(pod.uid, None)
                    self._mark(pod.controller)
                case Gone(pod):
                    self._created.pop(pod.uid, None)
                    self._deleted.discard(pod.uid)
                    self._mark(pod.controller)
                case Synced():
                    # What was created and is still not seen has come and gone while nobody looked.
                    seen = self._pods.mirror.version
                    unseen = {uid: pod for uid, pod in self._created.items() if is_older(seen, pod.version)}
                    self._created = unseen
                    self._sync("pods")

    def _sync(self, which: str) -> None:
        self._synced.add(which)
        for deployment in self._deployments.mirror:
            self._mark(deployment.uid)

    def _mark(self, uid: str) -> None:
        if uid and uid not in self._queued and len(self._synced) == 2:
            self._queued.add(uid)
            self._changed.put_nowait(uid)

    async def _reconcile_all(self) -> None:
        while True:
            uid = await self._changed.get()
            self._queued.discard(uid)
            try:
                await self._reconcile(uid)
            except (NotFound, Conflict):
                continue  # it changed meanwhile, and the watch will say so
            except ApiError as error:
                log.warning("a Deployment has to wait: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
                self._mark(uid)

    async def _reconcile(self, uid: str) -> None:
        deployment = next((item for item in self._deployments.mirror if item.uid == uid), None)
        if deployment is None:
            return
        pods = self._pods_of(uid)
        step = plan(deployment.body, [pod.body for pod in pods])
        for _ in range(step.create):
            body = new_pod(deployment.body, secrets.token_hex(3))
            answer = await self._client.create(kinds.POD, deployment.namespace, body)
            created = read_whole(msgspec.Raw(answer))
            self._created[created.uid] = created
        for pod in pods:
            if pod.name in step.delete:
                self._deleted.add(pod.uid)
                await self._delete(pod)
        await self._write_status(deployment)

    async def _delete(self, pod: Whole) -> None:
        try:
            await self._client.delete(kinds.POD.named(pod.namespace, pod.name), uid=pod.uid)
        except (NotFound, Conflict):
            pass  # gone already
        except ApiError:
            self._deleted.discard(pod.uid)
            raise

    async def _write_status(self, deployment: Whole) -> None:
        status = deployment_status(deployment.body, [pod.body for pod in self._pods_of(deployment.uid)])
        known = deployment.body.get("status") or {}
        if any(known.get(key) != value for key, value in status.items()):
            ref = kinds.DEPLOYMENT.named(deployment.namespace, deployment.name)
            await self._client.patch_status(ref, {"status": status})

    def _pods_of(self, uid: str) -> list[Whole]:
        seen = [pod for pod in self._pods.mirror if pod.controller == uid]
        known = {pod.uid for pod in seen}
        fresh = [pod for pod in self._created.values() if pod.controller == uid and pod.uid not in known]
        return [pod for pod in (*seen, *fresh) if pod.uid not in self._deleted]
