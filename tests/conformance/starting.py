"""Mutants that break the rules of starting, refusing and tombstones."""
# ruff: noqa: N802 (the methods bear the names of the RPCs)

from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.conformance.proxy import BEARER, CAPACITY, Proxy, refuse

STOP = rpc.FORGET_MODE_STOP


def shadow(request: rpc.StartRunRequest) -> rpc.StartRunRequest:
    """The same Run under a key that nobody knows."""
    other = rpc.StartRunRequest()
    other.CopyFrom(request)
    other.key.run_uid, other.key.attempt = str(uuid4()), 1
    return other


class Forgiving(Proxy):
    """Starts what the server behind refuses for one of these reasons, under a key that nobody knows."""

    reasons: tuple[str, ...] = ()

    def forgives(self, request: Any, reason: str) -> bool:
        return reason in self.reasons

    async def StartRun(self, request: Any, context: Any) -> Any:
        try:
            return await self.ask("StartRun", request, context)
        except grpc.aio.AioRpcError as error:
            if not self.forgives(request, reason_of(error)):
                await refuse(context, error)
        try:
            answer = await self.ask("StartRun", shadow(request), context)
        except grpc.aio.AioRpcError as error:  # what is bad besides stays bad
            await refuse(context, error)
        await self.stub.ForgetRun(rpc.ForgetRunRequest(key=answer.run.key, mode=STOP), metadata=[BEARER])
        answer.run.key.CopyFrom(request.key)
        return answer


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The first word of ours in the details of an error."""
    trailer = dict(error.trailing_metadata() or ())
    details = trailer.get("grpc-status-details-bin", b"")
    return next((word for word in REASONS if word.encode() in bytes(details)), "")


REASONS = (
    "ATTEMPT_SUPERSEDED",
    "RUN_FORGOTTEN",
    "PREVIOUS_ATTEMPT_ACTIVE",
    "DRAINING",
    "SERVER_FULL",
    "EXCEEDS_TOTAL",
    "RUN_UNKNOWN",
    "RUN_ACTIVE",
)


class DuplicatesRunTwice(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("StartRun", request, context)
        if not answer.created:
            again = await self.pass_on("StartRun", shadow(request), context)
            await self.stub.ForgetRun(rpc.ForgetRunRequest(key=again.run.key, mode=STOP), metadata=[BEARER])
            answer.created = True
        return answer


class DigestIgnored(Proxy):
    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self._digests: dict[tuple[str, int], str] = {}

    async def StartRun(self, request: Any, context: Any) -> Any:
        key = (request.key.run_uid, request.key.attempt)
        request.spec_digest = self._digests.setdefault(key, request.spec_digest)
        return await self.pass_on("StartRun", request, context)


class LowerAttemptTaken(Forgiving):
    reasons = ("ATTEMPT_SUPERSEDED",)


class ActiveAttemptStopped(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        try:
            return await self.ask("StartRun", request, context)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) != "PREVIOUS_ATTEMPT_ACTIVE":
                await refuse(context, error)
        lower = pb.RunKey(run_uid=request.key.run_uid, attempt=request.key.attempt - 1)
        await self.ask("ForgetRun", rpc.ForgetRunRequest(key=lower, mode=STOP), context)
        return await self.pass_on("StartRun", request, context)


class InstanceIgnored(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        request.expected_instance_id = ""
        return await self.pass_on("StartRun", request, context)


class AttachmentsLeftOut(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        request.spec.ClearField("attachments")
        return await self.pass_on("StartRun", request, context)


class UnknownFieldsRefused(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        size = request.ByteSize()
        request.DiscardUnknownFields()
        if request.ByteSize() != size:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown fields")
        return await self.pass_on("StartRun", request, context)


class RefusalRemembered(Proxy):
    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self._refused: set[str] = set()

    async def StartRun(self, request: Any, context: Any) -> Any:
        if request.key.run_uid in self._refused and request.spec.HasField("task"):
            request.expected_instance_id = "none"
        try:
            return await self.ask("StartRun", request, context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                self._refused.add(request.key.run_uid)
            await refuse(context, error)


class NoTombstone(Forgiving):
    reasons = ("RUN_FORGOTTEN",)


class NoTombstoneForUnseen(Proxy):
    async def ForgetRun(self, request: Any, context: Any) -> Any:
        try:
            await self.ask("GetRun", rpc.GetRunRequest(key=request.key), context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return rpc.ForgetRunResponse()
        return await self.pass_on("ForgetRun", request, context)


class TombstoneOfOneAttempt(Forgiving):
    reasons = ("RUN_FORGOTTEN",)

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self._forgotten: set[tuple[str, int]] = set()

    def forgives(self, request: Any, reason: str) -> bool:
        key = (request.key.run_uid, request.key.attempt)
        return reason in self.reasons and key not in self._forgotten

    async def ForgetRun(self, request: Any, context: Any) -> Any:
        self._forgotten.add((request.key.run_uid, request.key.attempt))
        return await self.pass_on("ForgetRun", request, context)


class ActiveForgotten(Proxy):
    async def ForgetRun(self, request: Any, context: Any) -> Any:
        request.mode = STOP
        return await self.pass_on("ForgetRun", request, context)


class UnknownNotForgotten(Proxy):
    async def ForgetRun(self, request: Any, context: Any) -> Any:
        if request.mode != STOP:
            try:
                await self.ask("GetRun", rpc.GetRunRequest(key=request.key), context)
            except grpc.aio.AioRpcError as error:
                await refuse(context, error)
        return await self.pass_on("ForgetRun", request, context)


class CapacityKept(Proxy):
    """What a Run asked for is free again only when it is forgotten."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self._kept: dict[str, int] = {}

    async def StartRun(self, request: Any, context: Any) -> Any:
        uid, asked = request.key.run_uid, request.spec.resources.requests["runs"]
        status = await self.pass_on("GetServerStatus", rpc.GetServerStatusRequest(), context)
        kept = sum(amount for other, amount in self._kept.items() if other != uid)
        if asked <= status.status.capacity.total["runs"] < kept + asked:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "ended Runs hold their places")
        answer = await self.pass_on("StartRun", request, context)
        self._kept[uid] = asked
        return answer

    async def ForgetRun(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("ForgetRun", request, context)
        self._kept.pop(request.key.run_uid, None)
        return answer


class FullTakesMore(Forgiving):
    """Over its capacity it takes what asks for one place; of it nothing else is known."""

    reasons = ("SERVER_FULL",)

    def forgives(self, request: Any, reason: str) -> bool:
        request.spec.resources.ClearField("requests")
        return super().forgives(request, reason)


class NeverFitsIsFull(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        try:
            return await self.ask("StartRun", request, context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.OUT_OF_RANGE:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "does not fit")
            await refuse(context, error)


class UnknownResourceTaken(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        requests = request.spec.resources.requests
        for name in [name for name in requests if name not in CAPACITY]:
            del requests[name]
        return await self.pass_on("StartRun", request, context)


class DrainTakesRuns(Proxy):
    async def Drain(self, request: Any, context: Any) -> Any:
        if request.HasField("timeout"):
            return await self.pass_on("Drain", request, context)
        status = await self.ask("GetServerStatus", rpc.GetServerStatusRequest(), context)
        return rpc.DrainResponse(active_runs=status.status.capacity.active_runs)


class TokenIgnored(Proxy):
    def metadata(self, context: Any) -> tuple[tuple[str, str], ...]:
        return (BEARER,)


class TimeLimitIgnored(Proxy):
    async def StartRun(self, request: Any, context: Any) -> Any:
        request.spec.ClearField("execution_timeout")
        return await self.pass_on("StartRun", request, context)


class DaemonTimeoutIgnored(Proxy):
    async def Handshake(self, request: Any, context: Any) -> Any:
        request.ClearField("daemon_timeout")
        return await self.pass_on("Handshake", request, context)
