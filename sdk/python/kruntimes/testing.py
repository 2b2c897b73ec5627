"""Testing code that uses kruntimes, with no server: a scripted cluster in memory; starts no process.

    with testing.cluster() as cluster:                      # tasks use it until the end of the block
        cluster.script("bash", Outcome(stdout="hi"))
        assert cluster.client().run("bash", source="echo hi").result().stdout == b"hi"
        assert square.remote(7).result() == 49              # calls the function, here

What goes through it is what goes through a real one: clients, watches, pickled functions, JSON values.
What it does not do: check a Run against the rules of the API, keep time, retry, or start a program.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import queue
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from kruntimes import _flow, _program
from kruntimes._async_client import AsyncClient
from kruntimes._client import Client
from kruntimes._defaults import use
from kruntimes._models import Run
from kruntimes._wire import Request, Response

__all__ = ["NEVER", "Cluster", "Outcome", "cluster"]

Object = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a scripted Run ends: well, unless something here says otherwise."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    """Succeeded or Failed, as the exit code has it, unless said; Timeout and Cancelled are the others."""
    reason: str = ""
    message: str = ""
    result: str | None = None
    """JSON text of the program's value."""
    exception: Mapping[str, str] | None = None
    """`type` and `trace` of the exception that ended it; its message is `message`."""

    def status(self) -> Object:
        """Return what a Run's status says of it."""
        failed = self.exit_code != 0 or self.exception is not None
        known: Object = {
            "phase": self.phase or ("Failed" if failed else "Succeeded"),
            "attempt": 1,
            "exitCode": self.exit_code,
            "outputs": dict(self.outputs),
            "output": {
                name: {"tail": text, "bytes": len(text.encode())}
                for name, text in (("stdout", self.stdout), ("stderr", self.stderr))
            },
            "reason": self.reason or ("NonZeroExit" if failed else ""),
            "message": self.message,
        }
        named = {"result": self.result, "exception": self.exception}
        return known | {name: value for name, value in named.items() if value is not None}


NEVER = Outcome(phase="Running")
"""It runs until somebody cancels or deletes it."""

Script = Callable[[Run], Outcome]


class Cluster:
    """An API server with Runtimes and Runs in memory; a Run ends while it is created, by its script."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[str, Script] = {"python": call_task}
        self._runs: dict[tuple[str, str], Object] = {}
        self._events: list[tuple[str, Object]] = []
        self._streams: list[_Subscription] = []

    @property
    def runs(self) -> Sequence[Run]:
        """The Runs that there are now, oldest first; `run.object` has all that was asked for."""
        with self._lock:
            return [_flow.read_run(found) for found in self._runs.values()]

    def script(self, runtime: str, *outcomes: Outcome | Script) -> None:
        """Say how Runs of a Runtime end: one outcome each, the last for all that follow, or a function's."""
        if not outcomes:
            raise TypeError("a script has at least one outcome")
        left = list(outcomes)

        def following(run: Run) -> Outcome:
            with self._lock:
                now = left.pop(0) if len(left) > 1 else left[0]
            return now if isinstance(now, Outcome) else now(run)

        self._scripts[runtime] = following

    def client(self) -> Client:
        """Make a client of it."""
        return Client(transport=_Transport(self))

    def async_client(self) -> AsyncClient:
        """Make an asynchronous client of it."""
        return AsyncClient(transport=_AsyncTransport(self))

    def answer(self, request: Request) -> Response:
        """Answer one request as the API server would."""
        parts = request.path.removeprefix(f"{_flow.GROUP}/namespaces/").split("/")
        namespace, kind, name = parts[0], parts[1], "".join(parts[2:3])
        if kind == "runtimes":
            return self._runtimes(name)
        if request.method == "POST":
            return self._create(namespace, json.loads(request.body or b"{}"))
        with self._lock:
            if not name:
                found = [item for item in self._runs.values() if _selects(request.query, namespace, item)]
                return _answer({"metadata": {"resourceVersion": str(len(self._events))}, "items": found})
            run = self._runs.get((namespace, name))
            if run is None:
                return _refusal(404, "NotFound", f'runs.kruntimes.io "{name}" not found')
            asked = json.loads(request.body or b"{}")
            meant = (asked.get("metadata") or asked.get("preconditions") or {}).get("uid")
            if meant not in (None, run["metadata"]["uid"]):
                return _refusal(409, "Conflict", f"the Run {name} is another one now")
            return self._change(request.method, (namespace, name), run)

    def subscribe(self, request: Request, tell: Callable[[bytes | None], None]) -> Callable[[], None]:
        """Tell every change from the asked version on; returns what ends that, which tells None."""
        namespace = request.path.removeprefix(f"{_flow.GROUP}/namespaces/").split("/")[0]
        subscription = _Subscription(request.query, namespace, tell)
        with self._lock:
            for kind, found in self._events[int(request.query["resourceVersion"]) :]:
                subscription.hear(kind, found)
            self._streams.append(subscription)

        def end() -> None:
            with self._lock:
                self._streams.remove(subscription)
            tell(None)

        return end

    def _runtimes(self, name: str) -> Response:
        found = [{"metadata": {"name": known}} for known in self._scripts if name in ("", known)]
        if not name:
            return _answer({"metadata": {"resourceVersion": "0"}, "items": found})
        return _answer(found[0]) if found else _refusal(404, "NotFound", f"no Runtime {name}")

    def _create(self, namespace: str, run: Object) -> Response:
        name, runtime = run["metadata"]["name"], run["spec"]["runtime"]
        script = self._scripts.get(runtime)
        if script is None:
            known = ", ".join(sorted(self._scripts))
            raise LookupError(
                f"this cluster has no script for the Runtime {runtime!r}, but for {known}: "
                f'say how its Runs end with cluster.script("{runtime}", Outcome(...))'
            )
        with self._lock:
            if (namespace, name) in self._runs:
                return _refusal(409, "AlreadyExists", f'runs.kruntimes.io "{name}" already exists')
            identity = {"namespace": namespace, "uid": f"uid-{len(self._events)}"}
            made = self._store("ADDED", run | {"metadata": run["metadata"] | identity}, {"phase": "Pending"})
        outcome = script(_flow.read_run(made))
        with self._lock:
            if (namespace, name) in self._runs:
                self._store("MODIFIED", self._runs[namespace, name], outcome.status())
        return _answer(made, 201)

    def _change(self, method: str, key: tuple[str, str], run: Object) -> Response:
        if method == "DELETE":
            self._store("DELETED", run, run["status"])
            del self._runs[key]
        elif method == "PATCH":
            wish = run | {"spec": run["spec"] | {"cancelRequested": True}}
            ended = _flow.ended(run)
            run = self._store(
                "MODIFIED", wish, run["status"] if ended else Outcome(phase="Cancelled").status()
            )
        return _answer(run)

    def _store(self, kind: str, run: Object, status: Object) -> Object:
        version = {"resourceVersion": str(len(self._events) + 1)}
        run = run | {"metadata": run["metadata"] | version, "status": status}
        self._runs[run["metadata"]["namespace"], run["metadata"]["name"]] = run
        self._events.append((kind, run))
        for stream in self._streams:
            stream.hear(kind, run)
        return run


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Give a cluster, whose client all tasks use until the end of the block."""
    made = Cluster()
    with made.client() as client, use(client):
        yield made


def call_task(run: Run) -> Outcome:
    """Call a task as its Run would have it called: from its pickle, in this process and thread."""
    files = {item["path"]: base64.b64decode(item["base64"]) for item in run.object["spec"].get("files", ())}
    if _program.FUNCTION_FILE not in files:
        raise LookupError(
            "only tasks run by themselves here: say how this program ends with "
            'cluster.script("python", Outcome(...))'
        )
    task, python = run.object["spec"]["mode"]["task"]["args"]
    try:
        function, arguments = files[_program.FUNCTION_FILE], files[_program.ARGUMENTS_FILE]
        return Outcome(result=_program.call(task, python, function, arguments))
    except Exception as error:
        kind = type(error)
        name = (
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )
        raised = {"type": name, "trace": "".join(traceback.format_exception(kind, error, _own_trace(error)))}
        return Outcome(1, reason="UncaughtException", message=str(error), exception=raised)


def _own_trace(error: Exception) -> TracebackType | None:
    """Leave out what called the task, which is no business of its author."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, _program.__file__):
        trace = trace.tb_next
    return trace


@dataclass(eq=False)
class _Subscription:
    query: Mapping[str, str]
    namespace: str
    tell: Callable[[bytes | None], None]

    def hear(self, kind: str, found: Object) -> None:
        if _selects(self.query, self.namespace, found):
            self.tell(json.dumps({"type": kind, "object": found}).encode())


class _Transport:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def send(self, request: Request) -> Response:
        return self._cluster.answer(request)

    def stream(self, request: Request) -> _Stream:
        return _Stream(self._cluster, request)

    def close(self) -> None:
        pass  # its streams are closed by the watches they belong to


class _Stream:
    def __init__(self, cluster: Cluster, request: Request) -> None:
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._end: Callable[[], None] | None = cluster.subscribe(request, self._lines.put)
        self._ending = threading.Lock()

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        line = self._lines.get()
        if line is None:
            raise StopIteration
        return line

    def close(self) -> None:
        with self._ending:
            end, self._end = self._end, None
        if end is not None:
            end()


class _AsyncTransport:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def send(self, request: Request) -> Response:
        return self._cluster.answer(request)

    async def stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()

        def tell(line: bytes | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and its listeners with it
                loop.call_soon_threadsafe(lines.put_nowait, line)

        end = self._cluster.subscribe(request, tell)
        try:
            while (line := await lines.get()) is not None:
                yield line
        finally:
            end()

    async def close(self) -> None:
        pass


def _selects(query: Mapping[str, str], namespace: str, found: Object) -> bool:
    metadata = found["metadata"]
    labels: dict[str, str] = metadata.get("labels") or {}
    fields: dict[str, str] = {
        "metadata.name": metadata["name"],
        "spec.runtime": found["spec"]["runtime"],
        "status.phase": found["status"]["phase"],
    }
    return metadata["namespace"] == namespace and (
        _has(fields, query.get("fieldSelector", "")) and _has(labels, query.get("labelSelector", ""))
    )


def _has(known: Mapping[str, str], selector: str) -> bool:
    wanted = (term.partition("=") for term in selector.split(",") if term)
    return all(known.get(key) == value for key, _, value in wanted)


def _answer(found: object, status: int = 200) -> Response:
    return Response(status, json.dumps(found).encode())


def _refusal(status: int, reason: str, message: str) -> Response:
    return _answer({"kind": "Status", "reason": reason, "message": message}, status)
