"""An API server process for tests: started, killed, started again on its data; it decides nothing.

Which one is selected by KRUNTIMES_DEV_APISERVER (`api_module`): the embedded server or, in `make test-api`,
the real one of tests/cluster. A test that needs kubectl takes the class `Kubectl` of test_kubectl.py on
`serving()` and so asks the selected server; one that compares two servers starts the other with
`serving_alone(EMBEDDED)`.
"""

import asyncio
import atexit
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml

from kruntimes_core.dev.control_plane import api_module
from tests.integration.clean_up import clean_up

RUNS = "/apis/kruntimes.io/v1alpha1/namespaces/default/runs"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"
START_SECONDS = 30
EMBEDDED = "kruntimes_core.dev.apiserver"


@dataclass
class ServerProcess:
    """One data directory, and the process that serves it now."""

    data: Path
    module: str = field(default_factory=api_module)
    process: "subprocess.Popen[bytes] | None" = None
    address: str = ""
    port: int = 0

    def start(self) -> None:
        """Start it and wait for its line."""
        # Started again it comes back where its clients look for it.
        where = ["--data", str(self.data), "--port", str(self.port)]
        command = [sys.executable, "-m", self.module, *where]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready https://127.0.0.1:"), line
        self.address = line.removeprefix("ready ").strip()
        self.port = int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        """End it without a warning."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        code = self.process.wait(timeout=START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    @property
    def kubeconfig(self) -> Path:
        """The file that users are given."""
        return self.data / "kubeconfig"


def is_real() -> bool:
    """Whether the selected server is a real kube-apiserver, as in `make test-api`."""
    return api_module() != EMBEDDED


_shared = ExitStack()
_servers: list[ServerProcess] = []


@contextmanager
def serving() -> Iterator[ServerProcess]:
    """The selected server without objects of other tests. Who stops or kills it takes `serving_alone`.

    The embedded one is fresh. A real one takes seconds to start, so all modules of a session use the same,
    and what they made is removed behind them; only their namespaces stay, since nobody here ends those.
    """
    if not is_real():
        with serving_alone() as server:
            yield server
        return
    if not _servers:
        _servers.append(_shared.enter_context(serving_alone()))
        atexit.register(_shared.close)
    yield _servers[0]
    clean_up(_servers[0].kubeconfig)


@contextmanager
def serving_alone(module: str = "") -> Iterator[ServerProcess]:
    """The selected server, or the one that is named, on throw-away data of its own."""
    with tempfile.TemporaryDirectory(prefix="kruntimes-apiserver-") as folder:
        server = ServerProcess(Path(folder), module or api_module())
        server.start()
        try:
            yield server
        finally:
            if server.process is not None:
                server.stop()


@dataclass
class Answer:
    """What the server said."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version of the object or list in it."""
        return str(self.body["metadata"]["resourceVersion"])


@dataclass
class Api:
    """Requests to one server."""

    session: aiohttp.ClientSession
    address: str

    async def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> Answer:
        """One request; a body that is bytes goes as it is."""
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        named = {"Content-Type": kind} | {key.replace("_", "-"): value for key, value in headers.items()}
        async with self.session.request(method, self.address + path, data=data, headers=named) as response:
            content = await response.read()
            is_json = response.content_type == "application/json"
            return Answer(
                response.status,
                msgspec.json.decode(content) if is_json else content.decode(),
                dict(response.headers),
            )

    async def get(self, path: str) -> Answer:
        """Read."""
        return await self.call("GET", path)

    async def create(self, path: str, body: Any) -> Answer:
        """Create."""
        return await self.call("POST", path, body)

    async def merge(self, path: str, body: Any) -> Answer:
        """Change by a merge patch."""
        return await self.call("PATCH", path, body, MERGE)

    async def delete(self, path: str, body: Any = None) -> Answer:
        """Delete."""
        return await self.call("DELETE", path, body)

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncIterator["Stream"]:
        """Open a watch."""
        mark = "&" if "?" in path else "?"
        limits = aiohttp.ClientTimeout(total=START_SECONDS)
        async with self.session.get(f"{self.address}{path}{mark}watch=true", timeout=limits) as response:
            yield Stream(response)
            connection = response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()


@dataclass
class Stream:
    """The events of one watch, one after the other."""

    response: aiohttp.ClientResponse

    async def next(self) -> tuple[str, Any]:
        """The next event: its type and object."""
        line = await self.response.content.readline()
        assert line, "the watch ended"
        event = msgspec.json.decode(line)
        return event["type"], event["object"]

    async def rest(self) -> list[tuple[str, Any]]:
        """All events until the watch ends by itself."""
        lines = [line async for line in self.response.content]
        events = [msgspec.json.decode(line) for line in lines]
        return [(event["type"], event["object"]) for event in events]


@asynccontextmanager
async def connected(server: ServerProcess) -> AsyncIterator[Api]:
    """A client with the identity of the kubeconfig."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
    headers = {"Authorization": f"Bearer {user['token']}"}
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(headers=headers, connector=connector, read_bufsize=2**22) as session:
        yield Api(session, cluster["server"])
    for _ in range(3):  # turns that the loop needs to close the sockets it was told to
        await asyncio.sleep(0)


def make_run(name: str, **spec: Any) -> dict[str, Any]:
    """A small Run."""
    return {
        "apiVersion": "kruntimes.io/v1alpha1",
        "kind": "Run",
        "metadata": {"name": name},
        "spec": {"runtime": "bash", "source": {"inline": "true"}} | spec,
    }


def make_config_map(name: str, **data: str) -> dict[str, Any]:
    """A small ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def make_crd(schema: dict[str, Any], **version: Any) -> dict[str, Any]:
    """A CRD this project does not own."""
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}} | version
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Boat", "plural": "boats"},
            "versions": versions,
        },
    }
