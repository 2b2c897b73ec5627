"""The RPCs: messages in and out, and nothing decided here."""
# ruff: noqa: N802 (the methods bear the names of the RPCs)

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

import grpc.aio

from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.runtime.v1.capabilities_pb2 import (
    CAPACITY_MODEL_FIXED,
    RUN_DURABILITY_PROCESS,
    SCHEDULING_MODE_LOCAL,
    Capabilities,
)
from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceServicer
from kruntimes.server.auth import Door
from kruntimes.server.author import CHANNELS, Code, Description, Refusal, RunKey
from kruntimes.server.bounds import HEARTBEAT_SECONDS, MOST_PAGE_RUNS, PAGE_BYTES, PAGE_RUNS
from kruntimes.server.checks import seconds
from kruntimes.server.errors import abort
from kruntimes.server.host import Host
from kruntimes.server.reading import Reading, check_request
from kruntimes.server.refusals import refusal
from kruntimes.server.watch import MAX_STREAMS

log = logging.getLogger(__name__)

SERVICE: Final = "kruntimes.runtime.v1.RuntimeService"
FEATURE_LEVEL: Final = 1
MAX_READERS: Final = 64
# Shorter than the deadline a caller is likely to set, so that the answer is UNAVAILABLE and not a lost call.
FORGET_WAIT_SECONDS: Final = 5.0

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]


def capabilities_of(description: Description) -> Capabilities:
    """What the author said, with what the kit serves for every author."""
    can = Capabilities()
    can.CopyFrom(description.capabilities)
    can.scheduling.mode = SCHEDULING_MODE_LOCAL
    can.scheduling.capacity_model = CAPACITY_MODEL_FIXED
    can.scheduling.durability = RUN_DURABILITY_PROCESS
    can.watch.max_streams = MAX_STREAMS
    can.output.live = True
    can.output.channels[:] = CHANNELS
    can.drain.SetInParent()
    can.ClearField("recover")
    return can


class RuntimeService(RuntimeServiceServicer):
    """kruntimes.runtime.v1.RuntimeService over one Host. No RecoverRun: Runs end with the process."""

    def __init__(self, host: Host, description: Description, door: Door) -> None:
        self._host = host
        self._description = description
        self._door = door
        self._capabilities = capabilities_of(description)
        self._readers = 0

    # Unary

    async def Handshake(self, request: rpc.HandshakeRequest, context: Context) -> rpc.HandshakeResponse:
        """Versions, abilities and bounds; takes config, granted capacity and daemon_timeout."""
        return await self._answer(self._handshake, request, context)

    async def GetServerStatus(
        self, request: rpc.GetServerStatusRequest, context: Context
    ) -> rpc.GetServerStatusResponse:
        """The status now."""
        return await self._answer(self._get_status, request, context)

    async def StartRun(self, request: rpc.StartRunRequest, context: Context) -> rpc.StartRunResponse:
        """Take a Run, or find the one this key means already."""
        return await self._answer(self._start, request, context)

    async def GetRun(self, request: rpc.GetRunRequest, context: Context) -> rpc.GetRunResponse:
        """One snapshot."""
        return await self._answer(self._get, request, context)

    async def ListRuns(self, request: rpc.ListRunsRequest, context: Context) -> rpc.ListRunsResponse:
        """One page of snapshots, in the order of acceptance, under 2 MiB."""
        return await self._answer(self._list, request, context)

    async def CancelRun(self, request: rpc.CancelRunRequest, context: Context) -> rpc.CancelRunResponse:
        """Ask a Run to stop and answer at once."""
        return await self._answer(self._cancel, request, context)

    async def ForgetRun(self, request: rpc.ForgetRunRequest, context: Context) -> rpc.ForgetRunResponse:
        """Drop a Run and refuse its key; with STOP only after its work is gone."""
        return await self._answer(self._forget, request, context)

    async def RecoverRun(self, request: rpc.RecoverRunRequest, context: Context) -> rpc.RecoverRunResponse:
        """UNIMPLEMENTED."""
        return await self._answer(self._recover, request, context)

    async def Drain(self, request: rpc.DrainRequest, context: Context) -> rpc.DrainResponse:
        """Take no new Runs for the rest of this process."""
        return await self._answer(self._drain, request, context)

    # Streams

    async def Watch(self, request: rpc.WatchRequest, context: Context) -> None:  # type: ignore[override]
        """A full snapshot, then every change."""
        await self._answer(self._watch, request, context)

    async def ReadOutput(  # type: ignore[override]
        self, request: rpc.ReadOutputRequest, context: Context
    ) -> None:
        """Bytes of output channels from given offsets."""
        await self._answer(self._read, request, context)

    # What they do

    def _enter(self, context: Context) -> None:
        self._door.check(context.invocation_metadata())
        self._host.heard()

    async def _answer(
        self,
        method: Callable[[Request, Context], Awaitable[Response]],
        request: Request,
        context: Context,
    ) -> Response:
        try:
            self._enter(context)
            return await method(request, context)
        except Refusal as refused:
            await abort(context, refused)
        except Exception:  # a bug of ours ends one call, with the code that says so
            log.exception("%s failed", method.__name__)
            await abort(context, Refusal(Code.INTERNAL, "SERVER_BUG", "The server failed; its log says how."))

    async def _watch(self, request: rpc.WatchRequest, context: Context) -> None:
        stream = self._host.watchers.open(_heartbeat(request))
        try:
            async with aclosing(stream.events()) as events:
                async for event in events:
                    await context.write(event)
        finally:
            self._host.watchers.close(stream)

    async def _read(self, request: rpc.ReadOutputRequest, context: Context) -> None:
        check_request(request)
        reading = Reading.of(self._host.output(_key(request.key)), request)
        if self._readers >= MAX_READERS:
            raise refusal("TOO_MANY_STREAMS", most=MAX_READERS)
        self._readers += 1
        try:
            async with aclosing(reading.parts()) as parts:
                async for part in parts:
                    await context.write(part)
        finally:
            self._readers -= 1

    async def _handshake(self, request: rpc.HandshakeRequest, _: Context) -> rpc.HandshakeResponse:
        self._host.shake_hands(request)
        return rpc.HandshakeResponse(
            server=self._description.name,
            server_version=self._description.version,
            feature_level=FEATURE_LEVEL,
            instance_id=self._host.instance,
            capabilities=self._capabilities,
            limits=self._host.bounds.limits(),
            parameters_schema=self._description.parameters_schema,
            config_schema=self._description.config_schema,
            status=self._host.status(),
        )

    async def _get_status(self, _: rpc.GetServerStatusRequest, __: Context) -> rpc.GetServerStatusResponse:
        return rpc.GetServerStatusResponse(status=self._host.status())

    async def _start(self, request: rpc.StartRunRequest, _: Context) -> rpc.StartRunResponse:
        run, created = self._host.start(request)
        return rpc.StartRunResponse(run=run, created=created)

    async def _get(self, request: rpc.GetRunRequest, _: Context) -> rpc.GetRunResponse:
        return rpc.GetRunResponse(run=self._host.snapshot(_key(request.key)))

    async def _list(self, request: rpc.ListRunsRequest, _: Context) -> rpc.ListRunsResponse:
        after, most = _page(request)
        response = rpc.ListRunsResponse()
        size = 0
        for record in self._host.book:
            if record.sequence <= after:
                continue
            run = self._host.snapshot(record.key)
            size += run.ByteSize()
            if len(response.runs) == most or (response.runs and size > PAGE_BYTES):
                response.next_page_token = str(after)
                return response
            response.runs.append(run)
            after = record.sequence
        return response

    async def _cancel(self, request: rpc.CancelRunRequest, _: Context) -> rpc.CancelRunResponse:
        grace = seconds(request.grace) if request.HasField("grace") else None
        return rpc.CancelRunResponse(run=self._host.cancel(_key(request.key), grace, request.reason))

    async def _forget(self, request: rpc.ForgetRunRequest, context: Context) -> rpc.ForgetRunResponse:
        key = _key(request.key)
        record = self._host.book.known(key)
        if request.mode == rpc.FORGET_MODE_DETACH and record is not None and not record.state.terminal:
            raise refusal("DETACH_UNAVAILABLE")
        left = context.time_remaining()
        wait = FORGET_WAIT_SECONDS if left is None else min(FORGET_WAIT_SECONDS, left / 2)
        await self._host.forget(key, request.mode == rpc.FORGET_MODE_STOP, wait)
        return rpc.ForgetRunResponse()

    async def _recover(self, _: rpc.RecoverRunRequest, __: Context) -> rpc.RecoverRunResponse:
        raise refusal("NOT_OFFERED", field="RecoverRun", what="recovery")

    async def _drain(self, request: rpc.DrainRequest, _: Context) -> rpc.DrainResponse:
        timeout = seconds(request.timeout) if request.HasField("timeout") else None
        return rpc.DrainResponse(active_runs=self._host.drain(timeout))


def _key(key: pb.RunKey) -> RunKey:
    return RunKey(key.run_uid, key.attempt)


def _heartbeat(request: rpc.WatchRequest) -> float:
    for field in ("heartbeat_interval", "usage_interval"):
        if request.HasField(field) and seconds(getattr(request, field)) <= 0:
            raise refusal("FIELD_INVALID", field=field, why="must be more than zero")
    return seconds(request.heartbeat_interval) or HEARTBEAT_SECONDS


def _page(request: rpc.ListRunsRequest) -> tuple[int, int]:
    """After which sequence the page begins, and how many Runs it may hold."""
    if request.page_size < 0:
        raise refusal("FIELD_INVALID", field="page_size", why="is negative")
    token = request.page_token
    if token and not (token.isascii() and token.isdigit() and len(token) < 20):
        raise refusal("FIELD_INVALID", field="page_token", why="is not one that this server gave")
    return int(token or 0), min(request.page_size or PAGE_RUNS, MOST_PAGE_RUNS)
