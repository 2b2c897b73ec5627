"""Calls of one daemon, each unary one sent twice; keeps codes and sizes, and judges nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceStub

CALL_SECONDS: Final = 20.0
# Refusals that may be another's a moment later, because of what others do meanwhile.
_PASSING: Final = frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE"})


class Refused(Exception):
    """A call ended with a code other than OK."""

    def __init__(self, method: str, error: grpc.aio.AioRpcError) -> None:
        self.method = method
        self.code = error.code().name
        self.reason = _reason(error)
        words = " ".join(word for word in (self.code, self.reason) if word)
        super().__init__(f"{method} answered {words}: {error.details()}")


class Unlike(Exception):
    """The same call, sent twice, was answered in two ways."""


@dataclass(slots=True)
class Traffic:
    """What all calls of a session were answered: codes by RPC, and the largest message."""

    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    largest: int = 0
    largest_of: str = ""

    def came(self, method: str, message: Any) -> None:
        """A message came."""
        size = message.ByteSize()
        if size > self.largest:
            self.largest, self.largest_of = size, method


@dataclass(frozen=True, slots=True)
class Settings:
    """How calls are made: the time they get is multiplied by `scale`; `repeat` sends each unary one twice."""

    scale: float = 1.0
    repeat: bool = True


class Client:
    """A connection of its own to the server; `close` ends it."""

    def __init__(self, address: str, token: str | None, traffic: Traffic, settings: Settings) -> None:
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
        ]
        self.channel = grpc.aio.insecure_channel(address, options=options)
        self._stub = RuntimeServiceStub(self.channel)
        self._metadata = _bearer(token)
        self._traffic = traffic
        self._settings = settings

    async def close(self) -> None:
        """End the connection and all its streams."""
        await self.channel.close()

    async def ready(self, within: float) -> None:
        """Wait until the server listens; TimeoutError."""
        async with asyncio.timeout(within):
            await self.channel.channel_ready()

    async def call(self, method: str, request: Any) -> Any:
        """One unary call, and the same again; the first answer. Raises Refused, and Unlike."""
        try:
            answer = await self.once(method, request)
        except Refused as refused:
            if self._settings.repeat and refused.code not in _PASSING:
                await self._again(method, request, refused.code)
            raise
        if self._settings.repeat:
            await self._again(method, request, "OK")
        return answer

    async def once(self, method: str, request: Any, token: str | None = None) -> Any:
        """One unary call, sent once; `token` replaces the right one, an empty one leaves it out."""
        metadata = self._metadata if token is None else _bearer(token or None)
        call = getattr(self._stub, method)
        try:
            answer = await call(request, metadata=metadata, timeout=CALL_SECONDS * self._settings.scale)
        except grpc.aio.AioRpcError as error:
            self._traffic.codes[method, error.code().name] += 1
            raise Refused(method, error) from None
        self._traffic.codes[method, "OK"] += 1
        self._traffic.came(method, answer)
        return answer

    async def _again(self, method: str, request: Any, before: str) -> None:
        try:
            await self.once(method, request)
            code = "OK"
        except Refused as refused:
            code = refused.code
        if code not in (before, *_PASSING):
            raise Unlike(f"{method} answered {before}, and {code} when the same call came again")

    @asynccontextmanager
    async def stream(self, method: str, request: Any, token: str | None = None) -> AsyncIterator["Stream"]:
        """A server stream for as long as the block runs."""
        metadata = self._metadata if token is None else _bearer(token or None)
        call = getattr(self._stub, method)(request, metadata=metadata)
        try:
            yield Stream(method, call, self._traffic)
        finally:
            call.cancel()

    async def read(self, request: rpc.ReadOutputRequest) -> list[Any]:
        """All parts of a ReadOutput that ends by itself."""
        async with asyncio.timeout(CALL_SECONDS * self._settings.scale):
            async with self.stream("ReadOutput", request) as stream:
                return [part async for part in stream]


class Stream:
    """The messages of one server stream, in order; raises Refused where it ends with a code."""

    def __init__(self, method: str, call: Any, traffic: Traffic) -> None:
        self._method = method
        self._messages = aiter(call)
        self._traffic = traffic

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Any:
        try:
            message = await anext(self._messages)
        except grpc.aio.AioRpcError as error:
            self._traffic.codes[self._method, error.code().name] += 1
            raise Refused(self._method, error) from None
        except StopAsyncIteration:
            self._traffic.codes[self._method, "OK"] += 1
            raise
        self._traffic.came(self._method, message)
        return message


def _bearer(token: str | None) -> tuple[tuple[str, str], ...]:
    return () if token is None else (("authorization", f"Bearer {token}"),)


def _reason(error: grpc.aio.AioRpcError) -> str:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""
