"""The one node of `krt dev` as a real API server knows it: Pods are bound to it, their logs are asked of it.

The processes of Pods are the embedded kubelet's, as ever, and so are the files read here.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from kruntimes_core.dev.apiserver.certificates import Identity
from kruntimes_core.dev.apiserver.errors import ApiError as Refusal
from kruntimes_core.dev.apiserver.pod_log import PodLogs
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.objects import Whole, read_whole
from kruntimes_core.kube import kinds
from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.errors import AlreadyExists, Conflict, NotFound
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Event, Reflector, Selection

NAME = "kruntimes-dev"
NODES = "/api/v1/nodes"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Seen:
    """A Pod as the reader of logs wants it."""

    obj: Any


class Pods:
    """All Pods as they are now, and which of them nobody has bound."""

    def __init__(self) -> None:
        self.unbound: asyncio.Queue[Whole] = asyncio.Queue()
        self._known: dict[tuple[str, str], Any] = {}

    def get(self, bucket: str, key: tuple[str, str]) -> Seen | None:
        """Return one, as the store of the embedded server does."""
        return Seen(self._known[key]) if key in self._known else None

    def take(self, events: Sequence[Event[Whole]]) -> None:
        """Take what the watch tells."""
        for event in events:
            match event:
                case Changed(pod):
                    self._known[pod.namespace, pod.name] = pod.body
                    if not pod.body["spec"].get("nodeName") and not pod.leaving:
                        self.unbound.put_nowait(pod)
                case Gone(pod):
                    self._known.pop((pod.namespace, pod.name), None)


class Node:
    """The node: it runs beside the API server until cancelled."""

    def __init__(self, client: Client, identity: Identity, pods_on_disk: Path) -> None:
        self._client, self._identity = client, identity
        self._pods = Pods()
        self._logs = PodLogs(pods_on_disk, self._pods)  # type: ignore[arg-type] # all it asks for is `get`

    async def run(self) -> None:
        """Register, bind and serve."""
        runner = web.ServerRunner(web.Server(self._answer, handler_cancellation=True, access_log=None))
        await runner.setup()
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._identity.certificate, self._identity.key)
            await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context, shutdown_timeout=1).start()
            await self._register(int(runner.addresses[0][1]))
            reflector = Reflector(self._client, Selection(kinds.POD), read_whole, self._pods.take)
            async with asyncio.TaskGroup() as group:
                group.create_task(reflector.run())
                group.create_task(self._bind())
        finally:
            await runner.cleanup()

    async def _register(self, port: int) -> None:
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}}
        with suppress(AlreadyExists):  # from an earlier start on the same data
            await self._client.send(Request("POST", NODES, body))
        address = {"type": "InternalIP", "address": LOOPBACK}
        status = {"addresses": [address], "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
        patch = Request(
            "PATCH", f"{NODES}/{NAME}/status", {"status": status}, {}, "application/merge-patch+json"
        )
        await self._client.send(patch)

    async def _bind(self) -> None:
        """Do what kube-scheduler would: there is one node, so there is nothing to choose."""
        while True:
            pod = await self._pods.unbound.get()
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/binding"
            body = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": pod.name, "uid": pod.uid},
                "target": {"kind": "Node", "name": NAME},
            }
            with suppress(NotFound, Conflict):  # it is gone, or was told of twice
                await self._client.send(Request("POST", path, body))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer `/containerLogs/NAMESPACE/POD/CONTAINER`, which is all that is asked here."""
        match request.path.strip("/").split("/"):
            case ["containerLogs", namespace, name, container]:
                pod = self._pods.get("/pods", (namespace, name))
            case _:
                pod = None
        if pod is None:
            return web.Response(status=404, text="404 page not found\n")
        query = {**request.query, "container": container}
        ask = Ask("get", None, namespace, name, "log", query)  # type: ignore[arg-type] # no resource is looked at
        try:
            return await self._logs.serve(request, ask, pod.obj)
        except Refusal as error:
            return web.Response(status=error.code, text=error.message)
