"""Our programs as processes against a real API server process, and eyes on what they write."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from kruntimes.kubeconfig import from_files

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import NAMESPACE, RUN, RUNTIME, Kind
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Event, Reflector, Selection
from kruntimes_core.kube.writes import write_lease
from kruntimes_core.model.runtime import AcceptState, Member

BOUND = 30.0


class Seen(msgspec.Struct):
    """Any object, whole."""

    namespace: str
    name: str
    uid: str
    version: str
    item: dict[str, Any]


def read(raw: msgspec.Raw) -> Seen:
    item = msgspec.json.decode(raw, type=dict[str, Any])
    meta = item["metadata"]
    return Seen(meta.get("namespace", ""), meta["name"], meta["uid"], meta["resourceVersion"], item)


class Eyes:
    """One collection as it is now, and every status it ever showed, in order."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.versions: dict[str, list[int]] = {}
        self._changed = asyncio.Event()

    def __call__(self, events: Sequence[Event[Seen]]) -> None:
        for event in events:
            match event:
                case Changed(seen):
                    self.items[seen.name] = seen.item
                    self.versions.setdefault(seen.name, []).append(int(seen.version))
                    self.history.setdefault(seen.name, []).append(seen.item.get("status") or {})
                case Gone(seen):
                    self.items.pop(seen.name, None)
        self._changed.set()

    def status(self, name: str) -> dict[str, Any]:
        return (self.items.get(name) or {}).get("status") or {}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def eyes_on(client: Client, kind: Kind, namespace: str) -> AsyncIterator[Eyes]:
    eyes = Eyes()
    task = asyncio.create_task(Reflector(client, Selection(kind, namespace), read, eyes).run())
    try:
        yield eyes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def client_of(kubeconfig: Path) -> AsyncIterator[Client]:
    async with Client(from_files([kubeconfig]), "test") as client:
        yield client


async def new_namespace(client: Client) -> str:
    name = f"t-{uuid4().hex[:8]}"
    await client.create(
        NAMESPACE, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    return name


async def make_runtime(client: Client, namespace: str, name: str = "bash", **spec: Any) -> dict[str, Any]:
    container = {"name": "runtime", "command": ["python", "-m", "server"], "image": "server:1"}
    template = {"spec": {"containers": [container]}}
    body = {
        "apiVersion": RUNTIME.api_version,
        "kind": "Runtime",
        "metadata": {"name": name},
        "spec": {"template": template} | spec,
    }
    made: dict[str, Any] = msgspec.json.decode(await client.create(RUNTIME, namespace, body))
    return made


async def make_run(client: Client, namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    body = {
        "apiVersion": RUN.api_version,
        "kind": "Run",
        "metadata": {"name": name},
        "spec": {"runtime": "bash", "source": {"inline": "true"}} | spec,
    }
    made: dict[str, Any] = msgspec.json.decode(await client.create(RUN, namespace, body))
    return made


def member(namespace: str, name: str, runs: int = 4, lease_seconds: float = 60.0) -> Member:
    return Member(
        namespace=namespace,
        name=name,
        runtime="bash",
        version="",
        pod_uid=f"uid-{name}",
        instance=f"instance-{name}",
        accept_state=AcceptState.ACCEPTING,
        capacity={"runs": runs},
        lease_seconds=lease_seconds,
    )


async def announce(client: Client, who: Member) -> None:
    await write_lease(client, who, datetime.now(UTC))


class Program:
    """One of our programs as a process; it can be killed and started again."""

    def __init__(self, module: str, kubeconfig: Path) -> None:
        self._command = [sys.executable, "-m", module]
        self._env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KUBERNETES_")},
            "KUBECONFIG": str(kubeconfig),
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, env=self._env)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=BOUND)


@contextmanager
def running(module: str, kubeconfig: Path) -> Iterator[Program]:
    program = Program(module, kubeconfig)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.end(signal.SIGKILL)
