"""An honest server in this process, and a servicer before it that hands on every call. Breaks no rule."""
# ruff: noqa: N802 (the methods bear the names of the RPCs)

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from kruntimes.runtime.v1.runtime_service_pb2_grpc import (
    RuntimeServiceServicer,
    RuntimeServiceStub,
    add_RuntimeServiceServicer_to_server,
)
from kruntimes.server import Place, serving

from runtime_servers.fake.server import FakeServer

TOKEN = "a-token"
BEARER = ("authorization", f"Bearer {TOKEN}")
# More places than any check leaves Runs unforgotten: a mutant that frees none at their end is full only where
# all are asked for.
CAPACITY: Mapping[str, int] = {"runs": 400, "cpu": 64_000}


class Proxy(RuntimeServiceServicer):
    """Hands every call on, and every answer back."""

    socket_mode = 0o600

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = RuntimeServiceStub(channel)
        self.channel = channel

    def metadata(self, context: Any) -> tuple[tuple[str, str], ...]:
        """What the server behind is sent of the caller's metadata."""
        return tuple(pair for pair in context.invocation_metadata() if pair[0] == "authorization")

    async def ask(self, method: str, request: Any, context: Any) -> Any:
        """The answer of the server behind. Raises AioRpcError."""
        return await getattr(self.stub, method)(request, metadata=self.metadata(context))

    async def pass_on(self, method: str, request: Any, context: Any) -> Any:
        """The answer of the server behind, or its refusal."""
        try:
            return await self.ask(method, request, context)
        except grpc.aio.AioRpcError as error:
            await refuse(context, error)

    async def Handshake(self, request: Any, context: Any) -> Any:
        return await self.pass_on("Handshake", request, context)

    async def GetServerStatus(self, request: Any, context: Any) -> Any:
        return await self.pass_on("GetServerStatus", request, context)

    async def StartRun(self, request: Any, context: Any) -> Any:
        return await self.pass_on("StartRun", request, context)

    async def GetRun(self, request: Any, context: Any) -> Any:
        return await self.pass_on("GetRun", request, context)

    async def ListRuns(self, request: Any, context: Any) -> Any:
        return await self.pass_on("ListRuns", request, context)

    async def CancelRun(self, request: Any, context: Any) -> Any:
        return await self.pass_on("CancelRun", request, context)

    async def ForgetRun(self, request: Any, context: Any) -> Any:
        return await self.pass_on("ForgetRun", request, context)

    async def RecoverRun(self, request: Any, context: Any) -> Any:
        return await self.pass_on("RecoverRun", request, context)

    async def Drain(self, request: Any, context: Any) -> Any:
        return await self.pass_on("Drain", request, context)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            yield event

    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for part in self.stream("ReadOutput", request, context):
            yield part

    async def stream(self, method: str, request: Any, context: Any) -> AsyncIterator[Any]:
        """The messages of the server behind, or its refusal."""
        call = getattr(self.stub, method)(request, metadata=self.metadata(context))
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            await refuse(context, error)
        finally:
            call.cancel()


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Hands health on."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = health_pb2_grpc.HealthStub(channel)

    async def Check(self, request: Any, context: Any) -> Any:
        try:
            return await self._stub.Check(request)
        except grpc.aio.AioRpcError as error:
            await refuse(context, error)


async def refuse(context: Any, error: grpc.aio.AioRpcError) -> None:
    """End the call as the server behind ended it."""
    trailer = tuple(pair for pair in error.trailing_metadata() or () if pair[0].endswith("-bin"))
    await context.abort(error.code(), error.details(), trailer)


@dataclass(frozen=True)
class Front:
    """A kruntimes.conformance.target.Server: the proxy's socket."""

    address: str
    token: str | None = TOKEN
    workspaces: Path | None = None
    abilities: frozenset[str] = frozenset()

    async def restart(self) -> None:
        raise NotImplementedError

    async def terminate(self) -> None:
        raise NotImplementedError

    async def exited(self, within: float) -> bool:
        raise NotImplementedError

    async def processes(self, mark: str) -> list[str]:
        raise NotImplementedError


@dataclass(frozen=True)
class Fronted:
    """A kruntimes.conformance.target.Target: fake servers, each behind a proxy of this kind."""

    kind: type[Proxy] = Proxy
    fresh: bool = True

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Front]:
        directory = tempfile.mkdtemp(prefix="kr-mutant-")
        try:
            token = Path(directory, "token")
            token.write_text(TOKEN)
            place = Place(f"unix:{directory}/b.sock", str(token), f"{directory}/spool", 10.0)
            async with (
                serving(FakeServer(CAPACITY), place),
                grpc.aio.insecure_channel(place.endpoint) as channel,
                _served(self.kind(channel), channel, f"{directory}/f.sock") as address,
            ):
                yield Front(address)
        finally:
            shutil.rmtree(directory)


@asynccontextmanager
async def _served(proxy: Proxy, channel: grpc.aio.Channel, path: str) -> AsyncIterator[str]:
    listener = grpc.aio.server()
    add_RuntimeServiceServicer_to_server(proxy, listener)
    health_pb2_grpc.add_HealthServicer_to_server(Health(channel), listener)
    listener.add_insecure_port(f"unix:{path}")
    await listener.start()
    os.chmod(path, proxy.socket_mode)
    try:
        yield f"unix:{path}"
    finally:
        await listener.stop(0.2)
