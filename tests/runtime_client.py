"""A small client of a runtime server for tests: builds requests, follows Watch, knows no daemon."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceStub

WAIT_SECONDS = 20.0
TOKEN = "a-token"
TERMINAL = 10

Value = TypeVar("Value")


def make_key(uid: str = "u", attempt: int = 1) -> pb.RunKey:
    return pb.RunKey(run_uid=uid, attempt=attempt)


def make_start(uid: str = "u", attempt: int = 1, script: Any = None, **spec: Any) -> rpc.StartRunRequest:
    """A StartRun for one slot; `script` goes into parameters_json."""
    fields: dict[str, Any] = {
        "namespace": "default",
        "name": f"run-{uid}",
        "task": pb.TaskWorkload(entrypoint="main"),
        "resources": pb.Resources(requests={"runs": 1}),
        "parameters_json": "" if script is None else json.dumps(script),
    }
    return rpc.StartRunRequest(
        key=make_key(uid, attempt), spec_digest="sha256:d", spec=pb.RunSpec(**{**fields, **spec})
    )


class Refused(Exception):
    """A call that ended with a code, and the reason of its ErrorInfo."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Client:
    """The calls of one daemon, with the token."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None = TOKEN) -> None:
        self.stub = RuntimeServiceStub(channel)
        self.metadata = () if token is None else (("authorization", f"Bearer {token}"),)

    async def call(self, method: str, request: Any) -> Any:
        """One unary call, answered within a bound; raises Refused."""
        call = getattr(self.stub, method)(request, metadata=self.metadata, timeout=WAIT_SECONDS)
        return await answered(call)

    async def start(self, uid: str = "u", attempt: int = 1, script: Any = None, **spec: Any) -> pb.Run:
        """Start a Run; its first snapshot."""
        return (await self.call("StartRun", make_start(uid, attempt, script, **spec))).run  # type: ignore[no-any-return]

    async def get(self, uid: str = "u", attempt: int = 1) -> pb.Run:
        """One snapshot."""
        return (await self.call("GetRun", rpc.GetRunRequest(key=make_key(uid, attempt)))).run  # type: ignore[no-any-return]

    async def cancel(self, uid: str = "u", grace: float | None = None, reason: str = "") -> pb.Run:
        """Cancel a Run; its snapshot."""
        request = rpc.CancelRunRequest(key=make_key(uid), reason=reason)
        if grace is not None:
            request.grace.FromMilliseconds(round(grace * 1000))
        return (await self.call("CancelRun", request)).run  # type: ignore[no-any-return]

    async def forget(self, uid: str = "u", attempt: int = 1, *, stop: bool = False) -> None:
        """Forget a Run."""
        mode = rpc.FORGET_MODE_STOP if stop else rpc.FORGET_MODE_UNSPECIFIED
        await self.call("ForgetRun", rpc.ForgetRunRequest(key=make_key(uid, attempt), mode=mode))

    async def status(self) -> status_pb2.ServerStatus:
        """The server's status."""
        return (await self.call("GetServerStatus", rpc.GetServerStatusRequest())).status  # type: ignore[no-any-return]

    async def until(self, wanted: Callable[[pb.Run], bool], uid: str = "u", attempt: int = 1) -> pb.Run:
        """Ask for the Run until it is as wanted."""

        async def look() -> pb.Run | None:
            run = await self.get(uid, attempt)
            return run if wanted(run) else None

        return await eventually(look)

    async def ended(self, uid: str = "u", attempt: int = 1) -> pb.Run:
        """The terminal snapshot, as soon as there is one."""
        return await self.until(lambda run: run.state >= TERMINAL, uid, attempt)

    async def read(self, *cursors: tuple[str, int], uid: str = "u", follow: bool = False) -> list[Any]:
        """All parts of a ReadOutput."""
        wanted = [rpc.OutputCursor(channel=channel, offset=offset) for channel, offset in cursors]
        request = rpc.ReadOutputRequest(key=make_key(uid), cursors=wanted, follow=follow)
        call = self.stub.ReadOutput(request, metadata=self.metadata, timeout=WAIT_SECONDS)
        try:
            return [part async for part in call]
        except grpc.aio.AioRpcError as error:
            raise refused(error) from error

    @asynccontextmanager
    async def watch(self, **request: Any) -> AsyncIterator["Watching"]:
        """A Watch for as long as the block runs."""
        call = self.stub.Watch(rpc.WatchRequest(**request), metadata=self.metadata)
        watching = Watching(call)
        try:
            yield watching
        finally:
            call.cancel()


class Watching:
    """Events of one Watch, in order."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.seen: list[rpc.WatchResponse] = []

    async def next(self) -> rpc.WatchResponse:
        """The next event; raises Refused when the stream ended with a code."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                event: rpc.WatchResponse = await anext(aiter(self.call))
        except grpc.aio.AioRpcError as error:
            raise refused(error) from error
        self.seen.append(event)
        return event

    async def until(self, wanted: Callable[[rpc.WatchResponse], bool]) -> rpc.WatchResponse:
        """The first event from now on that is as wanted."""
        while True:
            event = await self.next()
            if wanted(event):
                return event

    async def snapshot(self) -> list[rpc.WatchResponse]:
        """Everything up to SnapshotEnd."""
        await self.until(lambda event: event.HasField("snapshot_end"))
        return self.seen

    async def ended(self, uid: str = "u") -> pb.Run:
        """The terminal snapshot of a Run."""
        event = await self.until(lambda one: one.run.key.run_uid == uid and one.run.state >= TERMINAL)
        return event.run


async def answered(call: Any) -> Any:
    """The answer of a unary call; raises Refused."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise refused(error) from error


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """The code and the ErrorInfo reason of an error."""
    reason = ""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    reason = info.reason
    return Refused(error.code().name, reason)


async def eventually(look: Callable[[], Awaitable[Value | None]]) -> Value:
    """Look again until there is something; bounded."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (found := await look()) is None:
            await asyncio.sleep(0.005)
        return found
