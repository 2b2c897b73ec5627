"""The Runtimes as the dev process sees them: makes the default one, and tells how many members are ready."""

import asyncio
import logging
from collections.abc import Sequence

from kruntimes_core.dev.defaults import PoolSize, bash_runtime, resized
from kruntimes_core.dev.objects import Whole, read_whole
from kruntimes_core.dev.reports import Reports, Topic
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import AlreadyExists, ApiError
from kruntimes_core.kube.mirror import Changed
from kruntimes_core.kube.watch import Event, Reflector, Selection

AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class RuntimeReporter:
    """Follows the Runtimes and reports each change of their readiness once."""

    def __init__(self, client: Client, size: PoolSize, reports: Reports) -> None:
        self._client, self._size, self._reports = client, size, reports
        self._default = bash_runtime(size)
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        reflector: Reflector[Whole] = Reflector(
            self._client, Selection(kinds.RUNTIME), read_whole, self._take
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            group.create_task(self._ensure_default())

    async def _ensure_default(self) -> None:
        """See that the default Runtime exists, in the wanted size."""
        metadata = self._default["metadata"]
        ref = kinds.RUNTIME.named(metadata["namespace"], metadata["name"])
        while True:
            try:
                await self._client.create(kinds.RUNTIME, ref.namespace, self._default)
                return
            except AlreadyExists:
                if await self._resize(ref):
                    return
            except ApiError as error:
                log.warning("cannot create the Runtime %s yet: %s", ref.name, error)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _resize(self, ref: kinds.Ref) -> bool:
        patch = resized(self._size)
        if not patch:
            return True
        try:
            await self._client.patch(ref, patch)
        except ApiError as error:
            log.warning("cannot resize the Runtime %s yet: %s", ref.name, error)
            return False
        return True

    def _take(self, events: Sequence[Event[Whole]]) -> None:
        for event in events:
            if isinstance(event, Changed):
                self._tell(event.object)

    def _tell(self, runtime: Whole) -> None:
        wanted = int(runtime.body["spec"].get("replicas", 1))
        ready = int((runtime.body.get("status") or {}).get("readyReplicas") or 0)
        text = f"Runtime {runtime.name}: {ready} of {wanted} members ready"
        if self._told.get(runtime.uid) == text:
            return
        self._told[runtime.uid] = text
        whole = ready >= wanted and runtime.name == self._default["metadata"]["name"]
        self._reports.say(Topic.READY if whole else Topic.PROGRESS, text)
