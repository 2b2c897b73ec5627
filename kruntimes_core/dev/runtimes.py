"""The Runtimes as the dev process sees them: makes the default ones, and tells how many members are ready."""

import asyncio
import logging
import shutil
from collections.abc import Sequence

from kruntimes_core.dev.defaults import NAMESPACE, Defaults, default_runtime, find_languages, resized
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

    def __init__(self, client: Client, defaults: Defaults, reports: Reports) -> None:
        self._client, self._size, self._reports = client, defaults.size, reports
        self._names, self._missing = find_languages(defaults.names, lambda name: bool(shutil.which(name)))
        # Default Runtimes that were not whole yet since this process began.
        self._awaited = set(self._names)
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        for sentence in self._missing:
            self._reports.say(Topic.PROGRESS, sentence)
        reflector: Reflector[Whole] = Reflector(
            self._client, Selection(kinds.RUNTIME), read_whole, self._take
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            for name in self._names:
                group.create_task(self._ensure(name))

    async def _ensure(self, name: str) -> None:
        """See that a default Runtime exists, in the wanted size."""
        ref = kinds.RUNTIME.named(NAMESPACE, name)
        while True:
            try:
                await self._client.create(kinds.RUNTIME, NAMESPACE, default_runtime(name, self._size))
                return
            except AlreadyExists:
                if await self._resize(ref):
                    return
            except ApiError as error:
                log.warning("cannot create the Runtime %s yet: %s", name, error)
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
        whole = ready >= wanted and runtime.namespace == NAMESPACE and runtime.name in self._names
        if whole:
            self._awaited.discard(runtime.name)
        self._reports.say(Topic.READY if whole and not self._awaited else Topic.PROGRESS, text)
