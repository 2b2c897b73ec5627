"""Calls to the runtime server beside us, each with a deadline and one kind of error; it decides nothing."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Final, TypeVar

import grpc
from kruntimes.frames import End, Piece
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceStub
from kruntimes.runtime.v1.status_pb2 import ServerStatus
from kruntimes.runtime.v1.types_pb2 import Run
from kruntimes.runtime.v1.types_pb2 import RunKey as WireKey

from kruntimes_core.daemon.server import Code
from kruntimes_core.model.identity import RunKey
from kruntimes_core.rpc.codec import read_part
from kruntimes_core.rpc.errors import CallFailed, from_grpc
from kruntimes_core.rpc.requests import to_wire

START_BYTES: Final = 3 << 20
DEADLINE: Final = 10.0
MISSED_HEARTBEATS: Final = 3
PAGE: Final = 1000
# A server says every ten seconds that it has nothing to say.
SILENCE: Final = 30.0

# No keepalive: servers by default hang up on idle pings. A restarted server is to be found again quickly.
OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

Request = TypeVar("Request")
Response = TypeVar("Response")


class RuntimeClient:
    """One connection to one runtime server; every method raises CallFailed."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(endpoint, options=OPTIONS)
        self._stub = RuntimeServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def close(self) -> None:
        """End the connection and every call on it."""
        await self._channel.close()

    async def handshake(self, request: wire.HandshakeRequest, patience: float) -> wire.HandshakeResponse:
        """Exchange what both sides can do, once the server listens; waits `patience` seconds for that."""
        return await self._call("Handshake", self._stub.Handshake, request, patience, wait_for_ready=True)

    async def read_status(self) -> ServerStatus:
        """The server's status now."""
        response = await self._call(
            "GetServerStatus", self._stub.GetServerStatus, wire.GetServerStatusRequest()
        )
        return response.status

    async def start(self, request: wire.StartRunRequest, deadline: float) -> Run:
        """Ask for a Run to be started."""
        size = request.ByteSize()
        if size > START_BYTES:
            message = (
                f"the Run takes {size} bytes with all its inline parts; at most {START_BYTES} can be sent"
            )
            raise CallFailed("StartRun", Code.INVALID_ARGUMENT, "TOO_LARGE", message)
        return (await self._call("StartRun", self._stub.StartRun, request, deadline)).run

    async def read_run(self, key: WireKey) -> Run:
        """One Run as the server has it."""
        return (await self._call("GetRun", self._stub.GetRun, wire.GetRunRequest(key=key))).run

    async def list_runs(self) -> list[Run]:
        """Every Run the server has not forgotten."""
        runs: list[Run] = []
        token = ""
        while True:
            request = wire.ListRunsRequest(page_size=PAGE, page_token=token)
            page = await self._call("ListRuns", self._stub.ListRuns, request)
            runs.extend(page.runs)
            token = page.next_page_token
            if not token:
                return runs

    async def cancel(self, request: wire.CancelRunRequest) -> Run:
        """Ask a Run to stop."""
        return (await self._call("CancelRun", self._stub.CancelRun, request)).run

    async def forget(self, key: WireKey, stop: bool) -> None:
        """Drop a Run there; with `stop` end it first, hard."""
        mode = wire.FORGET_MODE_STOP if stop else wire.FORGET_MODE_UNSPECIFIED
        await self._call("ForgetRun", self._stub.ForgetRun, wire.ForgetRunRequest(key=key, mode=mode))

    async def drain(self, timeout: float) -> int:
        """Tell the server to take no more Runs and to end the rest by then; returns how many are left."""
        request = wire.DrainRequest()
        request.timeout.FromNanoseconds(round(timeout * 1e9))
        return (await self._call("Drain", self._stub.Drain, request)).active_runs

    async def watch(self, heartbeat: float) -> AsyncGenerator[wire.WatchResponse]:
        """Every Run and change, until the stream breaks or three heartbeats in a row are missing."""
        request = wire.WatchRequest()
        request.heartbeat_interval.FromNanoseconds(round(heartbeat * 1e9))
        call = self._stub.Watch(request, metadata=self._metadata)
        try:
            while True:
                async with asyncio.timeout(heartbeat * MISSED_HEARTBEATS):
                    message = await call.read()
                if not isinstance(message, wire.WatchResponse):
                    raise CallFailed("Watch", Code.UNAVAILABLE, "", "the server ended the stream")
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_grpc("Watch", error) from None
        except TimeoutError:
            silence = heartbeat * MISSED_HEARTBEATS
            raise CallFailed("Watch", Code.DEADLINE_EXCEEDED, "", f"nothing came for {silence:g} s") from None
        finally:
            call.cancel()

    async def read_output(
        self, key: RunKey, cursors: Iterable[tuple[str, int]], follow: bool
    ) -> AsyncGenerator[Piece | End]:
        """What the server keeps of these channels, each from its offset; with `follow`, until they end."""
        request = wire.ReadOutputRequest(key=to_wire(key), follow=follow)
        for channel, offset in cursors:
            request.cursors.add(channel=channel, offset=offset)
        call = self._stub.ReadOutput(request, metadata=self._metadata)
        try:
            while True:
                async with asyncio.timeout(SILENCE):
                    message = await call.read()
                if not isinstance(message, wire.ReadOutputResponse):
                    return
                part = read_part(key, message)
                if part is not None:
                    yield part
        except grpc.aio.AioRpcError as error:
            raise from_grpc("ReadOutput", error) from None
        except TimeoutError:
            raise CallFailed(
                "ReadOutput", Code.DEADLINE_EXCEEDED, "", f"nothing came for {SILENCE:g} s"
            ) from None
        finally:
            call.cancel()

    async def _call(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: float = DEADLINE,
        wait_for_ready: bool = False,
    ) -> Response:
        try:
            return await method(
                request, timeout=deadline, metadata=self._metadata, wait_for_ready=wait_for_ready
            )
        except grpc.aio.AioRpcError as error:
            raise from_grpc(name, error) from None
