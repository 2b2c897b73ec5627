"""The synchronous client: carries out the flows over a transport; holds no rule of its own."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from kruntimes import _flow
from kruntimes._errors import NotConfigured, Unreachable
from kruntimes._follow import Following, News
from kruntimes._identity import Identity
from kruntimes._models import Result, Run, RunOptions
from kruntimes._spec import build_run
from kruntimes._watch import SharedWatch, ThreadSlot
from kruntimes._wire import Flow, Pause, Request, Stream, Transport

if TYPE_CHECKING:
    from kruntimes._transcript import LogPiece
    from kruntimes.kubeconfig import ClusterAccess

T = TypeVar("T")
Objects = list[_flow.Object]
PATIENCE_SECONDS = 5.0


class Handle(Identity):
    """One Run of a client; its `reference` is enough to pick it up again, also in another process."""

    def __init__(self, client: Client, watch: SharedWatch, slot: ThreadSlot, found: _flow.Object) -> None:
        super().__init__(found)
        self._client, self._watch, self._slot = client, watch, slot

    def status(self) -> Run:
        """Read the Run as it is now."""
        return self._client.read(**self.reference)

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end, however it is; raises WaitTimeout after `timeout` seconds."""
        if not _flow.ended(self._found):
            self._found = self._client._wait(self, timeout)
        return _flow.read_run(self._found)

    def result(self, timeout: float | None = None, *, check: bool = True) -> Result:
        """Wait for the result; raises RunFailed and its like for a bad end, unless `check` is False."""
        return _flow.result_of(self.wait(timeout), check=check)

    def when_settled(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when `wait` would return at once; maybe by another thread, maybe twice."""
        self._slot.listeners.append(tell)
        if self._slot.settled.is_set():
            tell()

    def logs(self, *, follow: bool = False) -> Iterator[LogPiece]:
        """Read its output in pieces; with `follow`, as it comes and until its end."""
        from kruntimes._logs import read_output

        found = self._found
        if not (follow or _flow.ended(found)):
            found = self.status().object
        return read_output(self._client._transport, found, follow)

    def cancel(self) -> None:
        """Ask for its end; wait() tells when it came."""
        self._client.cancel(**self.reference)

    def delete(self) -> None:
        """Delete it; a Run under way is stopped."""
        self._client.delete(**self.reference)


class Client:
    """Runs work on the cluster of a kubeconfig, of this Pod, or of `krt dev`; threads may share it."""

    def __init__(
        self,
        access: ClusterAccess | None = None,
        *,
        namespace: str | None = None,
        patience: float = PATIENCE_SECONDS,
        transport: Transport | None = None,
    ) -> None:
        """Find the cluster as kubectl does unless `access` names one; asks again for `patience` seconds."""
        if transport is None:
            access = access or find_access()
            from kruntimes._transport import HttpTransport

            transport = HttpTransport(access)
        self.namespace = namespace or (access.namespace if access else "default")
        self._transport = transport
        self._delays = _flow.delays(patience)
        self._mark = os.urandom(5).hex()
        self._own_watches: dict[str, SharedWatch] = {}
        # The watch of one Run stays while somebody has a handle of it.
        self._watches: weakref.WeakValueDictionary[tuple[str, str], SharedWatch]
        self._watches = weakref.WeakValueDictionary()
        self._lock = threading.Lock()
        self._closed = False
        self._runtimes: set[tuple[str, str]] = set()

    def run(self, runtime: str, **options: Unpack[RunOptions]) -> Handle:
        """Create a Run and follow it from the start, so that its result comes at once."""
        return self._create(runtime, options, follow=True)

    def submit(self, runtime: str, **options: Unpack[RunOptions]) -> Handle:
        """Create a Run that somebody will look after later; it returns when the API server has stored it."""
        return self._create(runtime, options, follow=False)

    def get(self, name: str, *, namespace: str | None = None, uid: str = "") -> Handle:
        """Pick up a Run by its name, whoever made it; with `uid`, only if it still is that one."""
        found = self._drive(_flow.get(namespace or self.namespace, name, self._delays, uid))
        known = _flow.reference(found)
        watch = self._watch_of(known["namespace"], name)
        return Handle(self, watch, watch.slot(name, known["uid"]), found)

    def read(self, name: str, *, namespace: str | None = None, uid: str = "") -> Run:
        """Read a Run as it is now; with `uid`, only if it still is that one."""
        return _flow.read_run(self._drive(_flow.get(namespace or self.namespace, name, self._delays, uid)))

    def list(
        self, *, namespace: str | None = None, runtime: str = "", phase: str = "", selector: str = ""
    ) -> Sequence[Run]:
        """Read the Runs of a namespace; `selector` is a label selector."""
        query = _flow.choose(runtime, phase, selector)
        found, _ = self._list_all(_flow.runs_path(namespace or self.namespace), query)
        return [_flow.read_run(item) for item in found]

    def result(self, name: str, timeout: float | None = None, *, namespace: str | None = None) -> Result:
        """Wait for the result of a Run by its name."""
        return self.get(name, namespace=namespace).result(timeout)

    def logs(self, name: str, *, follow: bool = False, namespace: str | None = None) -> Iterator[LogPiece]:
        """Read a Run's output, stdout and stderr in pieces; with `follow`, as it comes and until its end."""
        return self.get(name, namespace=namespace).logs(follow=follow)

    def cancel(self, name: str, *, namespace: str | None = None, uid: str = "") -> None:
        """Ask for the end of a Run; asking twice is no error, nor is asking too late."""
        self._drive(_flow.cancel(namespace or self.namespace, name, uid, self._delays))

    def delete(self, name: str, *, namespace: str | None = None, uid: str = "") -> None:
        """Delete a Run; one under way is stopped. With `uid`, only if it still is that one."""
        self._drive(_flow.delete(namespace or self.namespace, name, uid, self._delays))

    def check_runtime(self, runtime: str, *, namespace: str | None = None) -> None:
        """Raise NotFound unless there is such a Runtime; asks once for each."""
        key = (namespace or self.namespace, runtime)
        if key not in self._runtimes:
            self._drive(_flow.check_runtime(*key, self._delays))
            self._runtimes.add(key)

    def keeping_watch(self, namespace: str | None, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Give what `begin` gives; meanwhile the watch of this client's own Runs goes on by itself."""
        with self._own_watch(namespace or self.namespace).needed():
            yield from begin()

    def ask(self, request: Request) -> _flow.Object:
        """Ask the API server anything else; only what may be asked again without harm."""
        return self._drive(_flow.ask(request, self._delays))

    def stream(self, request: Request) -> Stream:
        """Begin an answer that goes on, such as a watch; the caller closes it."""
        return self._transport.stream(request)

    def close(self) -> None:
        """End the watches and connections; whoever still waits gets Unreachable."""
        self._closed = True
        with self._lock:
            watches = [*self._own_watches.values(), *self._watches.values()]
        for watch in watches:
            watch.close()
        self._transport.close()

    def __enter__(self) -> Self:
        """Give the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def _create(self, runtime: str, options: RunOptions, *, follow: bool) -> Handle:
        token = os.urandom(5).hex()
        run = build_run(runtime, options, token, self._mark)
        namespace = options.get("namespace") or self.namespace
        watch = self._own_watch(namespace)
        # Before the Run exists: nothing that the watch hears of it can then be missed.
        slot = watch.slot(run["metadata"]["name"])
        slot.followed = follow
        found = self._drive(_flow.create(namespace, run, token, self._delays))
        slot.uid = _flow.reference(found)["uid"]
        if follow:
            watch.start(found["metadata"]["resourceVersion"])
        return Handle(self, watch, slot, found)

    def _wait(self, handle: Handle, timeout: float | None) -> _flow.Object:
        watch, slot = handle._watch, handle._slot
        with watch.needed():
            fresh = watch.start(handle._found["metadata"]["resourceVersion"])
            if not fresh and not slot.followed:
                # The watch may be past the news of a Run that it did not follow from the beginning.
                slot.followed = True
                found = self._drive(_flow.get(handle.namespace, handle.name, self._delays, handle.uid))
                slot.take(News(handle.name, found))
            return watch.wait(slot, timeout)

    def _own_watch(self, namespace: str) -> SharedWatch:
        """Return the watch of all Runs of this client; it stays for those to come."""
        with self._lock:
            watch = self._own_watches.get(namespace)
            if watch is None:
                watch = self._new_watch(namespace, _flow.own(self._mark), lasting=True)
                self._own_watches[namespace] = watch
            return watch

    def _watch_of(self, namespace: str, name: str) -> SharedWatch:
        """Return the watch of one Run, which all who have it now share."""
        with self._lock:
            watch = self._watches.get((namespace, name))
            if watch is None:
                watch = self._new_watch(namespace, _flow.only(name), lasting=False)
                self._watches[namespace, name] = watch
            return watch

    def _new_watch(self, namespace: str, selector: Mapping[str, str], *, lasting: bool) -> SharedWatch:
        following = Following(_flow.runs_path(namespace), selector)
        return SharedWatch(self._transport, self._list_all, following, lasting=lasting)

    def _list_all(self, path: str, query: Mapping[str, str]) -> tuple[Objects, str]:
        return self._drive(_flow.list_all(path, query, self._delays))

    def _drive(self, flow: Flow[T]) -> T:
        """Carry out one flow: send its requests, wait its pauses, hand it what went wrong."""
        _flow.refuse_closed(self._closed)
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    answer = self._transport.send(step)
                except Unreachable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value


def find_access(path: str | os.PathLike[str] | None = None, context: str | None = None) -> ClusterAccess:
    """Find the cluster: the named kubeconfig, KUBECONFIG, `krt dev`, ~/.kube/config, or the Pod's own."""
    from kruntimes.kubeconfig import KubeconfigError, for_person

    try:
        return for_person(path, context)
    except KubeconfigError as error:
        raise NotConfigured(str(error)) from error
