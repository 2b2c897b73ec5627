"""The asynchronous client: carries out the same flows on a loop; holds no rule of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from kruntimes import _flow
from kruntimes._async_watch import AsyncWatch, LoopSlot
from kruntimes._client import PATIENCE_SECONDS, find_access
from kruntimes._errors import Unreachable
from kruntimes._follow import Following, News
from kruntimes._identity import Identity
from kruntimes._models import Result, Run, RunOptions
from kruntimes._spec import build_run
from kruntimes._wire import AsyncTransport, Flow, Pause, Request

if TYPE_CHECKING:
    from kruntimes._transcript import LogPiece
    from kruntimes.kubeconfig import ClusterAccess

T = TypeVar("T")
Objects = list[_flow.Object]


class AsyncHandle(Identity):
    """One Run of a client; its `reference` is enough to pick it up again, also in another process."""

    def __init__(self, client: AsyncClient, watch: AsyncWatch, slot: LoopSlot, found: _flow.Object) -> None:
        super().__init__(found)
        self._client, self._watch, self._slot = client, watch, slot

    async def status(self) -> Run:
        """Read the Run as it is now."""
        return await self._client.read(**self.reference)

    async def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end, however it is; raises WaitTimeout after `timeout` seconds."""
        if not _flow.ended(self._found):
            self._found = await self._client._wait(self, timeout)
        return _flow.read_run(self._found)

    async def result(self, timeout: float | None = None, *, check: bool = True) -> Result:
        """Wait for the result; raises RunFailed and its like for a bad end, unless `check` is False."""
        return _flow.result_of(await self.wait(timeout), check=check)

    async def logs(self, *, follow: bool = False) -> AsyncGenerator[LogPiece, None]:
        """Read its output in pieces; with `follow`, as it comes and until its end."""
        from kruntimes._async_logs import read_output

        found = self._found
        if not (follow or _flow.ended(found)):
            found = (await self.status()).object
        async with contextlib.aclosing(read_output(self._client._transport, found, follow)) as pieces:
            async for piece in pieces:
                yield piece

    async def cancel(self) -> None:
        """Ask for its end; wait() tells when it came."""
        await self._client.cancel(**self.reference)

    async def delete(self) -> None:
        """Delete it; a Run under way is stopped."""
        await self._client.delete(**self.reference)


class AsyncClient:
    """Runs work on the cluster of a kubeconfig, of this Pod, or of `krt dev`; belongs to one loop."""

    def __init__(
        self,
        access: ClusterAccess | None = None,
        *,
        namespace: str | None = None,
        patience: float = PATIENCE_SECONDS,
        transport: AsyncTransport | None = None,
    ) -> None:
        """Find the cluster as kubectl does unless `access` names one; asks again for `patience` seconds."""
        if transport is None:
            access = access or find_access()
            from kruntimes._async_transport import AsyncHttpTransport

            transport = AsyncHttpTransport(access)
        self.namespace = namespace or (access.namespace if access else "default")
        self._transport = transport
        self._delays = _flow.delays(patience)
        self._mark = os.urandom(5).hex()
        self._own_watches: dict[str, AsyncWatch] = {}
        # The watch of one Run stays while somebody has a handle of it.
        self._watches: weakref.WeakValueDictionary[tuple[str, str], AsyncWatch]
        self._watches = weakref.WeakValueDictionary()
        self._runtimes: set[tuple[str, str]] = set()
        self._closed = False

    async def run(self, runtime: str, **options: Unpack[RunOptions]) -> AsyncHandle:
        """Create a Run and follow it from the start, so that its result comes at once."""
        return await self._create(runtime, options, follow=True)

    async def submit(self, runtime: str, **options: Unpack[RunOptions]) -> AsyncHandle:
        """Create a Run that somebody will look after later; it returns when the API server has stored it."""
        return await self._create(runtime, options, follow=False)

    async def get(self, name: str, *, namespace: str | None = None, uid: str = "") -> AsyncHandle:
        """Pick up a Run by its name, whoever made it; with `uid`, only if it still is that one."""
        found = await self._drive(_flow.get(namespace or self.namespace, name, self._delays, uid))
        known = _flow.reference(found)
        watch = self._watch_of(known["namespace"], name)
        return AsyncHandle(self, watch, watch.slot(name, known["uid"]), found)

    async def read(self, name: str, *, namespace: str | None = None, uid: str = "") -> Run:
        """Read a Run as it is now; with `uid`, only if it still is that one."""
        found = await self._drive(_flow.get(namespace or self.namespace, name, self._delays, uid))
        return _flow.read_run(found)

    async def list(
        self, *, namespace: str | None = None, runtime: str = "", phase: str = "", selector: str = ""
    ) -> Sequence[Run]:
        """Read the Runs of a namespace; `selector` is a label selector."""
        query = _flow.choose(runtime, phase, selector)
        found, _ = await self._list_all(_flow.runs_path(namespace or self.namespace), query)
        return [_flow.read_run(item) for item in found]

    async def result(
        self, name: str, timeout: float | None = None, *, namespace: str | None = None
    ) -> Result:
        """Wait for the result of a Run by its name."""
        return await (await self.get(name, namespace=namespace)).result(timeout)

    async def logs(
        self, name: str, *, follow: bool = False, namespace: str | None = None
    ) -> AsyncGenerator[LogPiece, None]:
        """Read a Run's output, stdout and stderr in pieces; with `follow`, as it comes and until its end."""
        handle = await self.get(name, namespace=namespace)
        async with contextlib.aclosing(handle.logs(follow=follow)) as pieces:
            async for piece in pieces:
                yield piece

    async def cancel(self, name: str, *, namespace: str | None = None, uid: str = "") -> None:
        """Ask for the end of a Run; asking twice is no error, nor is asking too late."""
        await self._drive(_flow.cancel(namespace or self.namespace, name, uid, self._delays))

    async def delete(self, name: str, *, namespace: str | None = None, uid: str = "") -> None:
        """Delete a Run; one under way is stopped. With `uid`, only if it still is that one."""
        await self._drive(_flow.delete(namespace or self.namespace, name, uid, self._delays))

    async def check_runtime(self, runtime: str, *, namespace: str | None = None) -> None:
        """Raise NotFound unless there is such a Runtime; asks once for each."""
        key = (namespace or self.namespace, runtime)
        if key not in self._runtimes:
            await self._drive(_flow.check_runtime(*key, self._delays))
            self._runtimes.add(key)

    async def ask(self, request: Request) -> _flow.Object:
        """Ask the API server anything else; only what may be asked again without harm."""
        return await self._drive(_flow.ask(request, self._delays))

    def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Begin an answer that goes on, such as a watch; the caller closes it."""
        return self._transport.stream(request)

    async def close(self) -> None:
        """End the watches and connections; whoever still waits gets Unreachable."""
        self._closed = True
        for watch in [*self._own_watches.values(), *self._watches.values()]:
            await watch.close()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Give the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def _create(self, runtime: str, options: RunOptions, *, follow: bool) -> AsyncHandle:
        token = os.urandom(5).hex()
        run = build_run(runtime, options, token, self._mark)
        namespace = options.get("namespace") or self.namespace
        watch = self._own_watch(namespace)
        # Before the Run exists: nothing that the watch hears of it can then be missed.
        slot = watch.slot(run["metadata"]["name"])
        slot.followed = follow
        found = await self._drive(_flow.create(namespace, run, token, self._delays))
        slot.uid = _flow.reference(found)["uid"]
        if follow:
            watch.start(found["metadata"]["resourceVersion"])
        return AsyncHandle(self, watch, slot, found)

    async def _wait(self, handle: AsyncHandle, timeout: float | None) -> _flow.Object:
        watch, slot = handle._watch, handle._slot
        async with watch.needed():
            fresh = watch.start(handle._found["metadata"]["resourceVersion"])
            if not fresh and not slot.followed:
                # The watch may be past the news of a Run that it did not follow from the beginning.
                slot.followed = True
                found = await self._drive(_flow.get(handle.namespace, handle.name, self._delays, handle.uid))
                slot.take(News(handle.name, found))
            return await watch.wait(slot, timeout)

    def _own_watch(self, namespace: str) -> AsyncWatch:
        """Return the watch of all Runs of this client; it stays for those to come."""
        watch = self._own_watches.get(namespace)
        if watch is None:
            watch = self._new_watch(namespace, _flow.own(self._mark), lasting=True)
            self._own_watches[namespace] = watch
        return watch

    def _watch_of(self, namespace: str, name: str) -> AsyncWatch:
        """Return the watch of one Run, which all who have it now share."""
        watch = self._watches.get((namespace, name))
        if watch is None:
            watch = self._new_watch(namespace, _flow.only(name), lasting=False)
            self._watches[namespace, name] = watch
        return watch

    def _new_watch(self, namespace: str, selector: Mapping[str, str], *, lasting: bool) -> AsyncWatch:
        following = Following(_flow.runs_path(namespace), selector)
        return AsyncWatch(self._transport, self._list_all, following, lasting=lasting)

    async def _list_all(self, path: str, query: Mapping[str, str]) -> tuple[Objects, str]:
        return await self._drive(_flow.list_all(path, query, self._delays))

    async def _drive(self, flow: Flow[T]) -> T:
        """Carry out one flow: send its requests, wait its pauses, hand it what went wrong."""
        _flow.refuse_closed(self._closed)
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    answer = await self._transport.send(step)
                except Unreachable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
