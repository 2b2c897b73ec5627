"""Mutants that break the rules of what is told: snapshots, pages, Watch, output, stops, codes."""
# ruff: noqa: N802 (the methods bear the names of the RPCs)

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.conformance.proxy import Proxy, refuse

TERMINAL = pb.RUN_STATE_SUCCEEDED


class InstanceChanges(Proxy):
    _hellos = 0

    async def Handshake(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("Handshake", request, context)
        self._hellos += 1
        if self._hellos > 1 and request.client == "kruntimes-conformance":
            answer.instance_id = str(uuid4())
        return answer


class StatusRevisionFalls(Proxy):
    _asked = 0

    async def GetServerStatus(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("GetServerStatus", request, context)
        self._asked += 1
        answer.status.revision = 1_000_000 - self._asked
        return answer


class Retold(Proxy):
    """Changes what GetRun tells."""

    def retell(self, run: pb.Run) -> None:
        raise NotImplementedError

    async def GetRun(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("GetRun", request, context)
        self.retell(answer.run)
        return answer


class OtherInstanceShown(Retold):
    def retell(self, run: pb.Run) -> None:
        run.instance_id = "another"


class RevisionStays(Retold):
    def retell(self, run: pb.Run) -> None:
        run.revision = 1


class TerminalChanges(Retold):
    _asked = 0

    def retell(self, run: pb.Run) -> None:
        if run.state >= TERMINAL:
            self._asked += 1
            run.revision += self._asked


class ResultBeforeTheEnd(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.state == pb.RUN_STATE_RUNNING:
            run.result.SetInParent()


class WrongExitCode(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.result.exit.code == 7:
            run.result.exit.code = 1


class TimesOutOfOrder(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.state == pb.RUN_STATE_SUCCEEDED:
            run.end_time.seconds = run.accept_time.seconds - 1


class SignalShownAsCode(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.result.exit.HasField("signal"):
            run.result.exit.code = 128 + run.result.exit.signal


class AdviceMissing(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.result.error.kind == pb.ERROR_KIND_USER_INPUT:
            run.result.error.retry = pb.RETRY_ADVICE_UNSPECIFIED


class DrainedWithoutAdvice(Retold):
    def retell(self, run: pb.Run) -> None:
        if run.result.error.reason == "DRAINED":
            run.result.error.retry = pb.RETRY_ADVICE_NEVER


class EverythingFree(Proxy):
    async def GetServerStatus(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("GetServerStatus", request, context)
        answer.status.capacity.available.update(answer.status.capacity.total)
        return answer


class RecoveryPretended(Proxy):
    async def RecoverRun(self, request: Any, context: Any) -> Any:
        try:
            return await self.ask("RecoverRun", request, context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return rpc.RecoverRunResponse(run=pb.Run(key=request.key))
            await refuse(context, error)


class ZeroAfterStopIsSuccess(Retold):
    def retell(self, run: pb.Run) -> None:
        exited = run.result.exit
        if run.state == pb.RUN_STATE_CANCELLED and exited.HasField("code") and exited.code == 0:
            run.state = pb.RUN_STATE_SUCCEEDED
            run.result.ClearField("error")


class TailIsNotTheEnd(Retold):
    def retell(self, run: pb.Run) -> None:
        for channel in run.channels:
            channel.tail = channel.tail[:-1]


class PagesOverlap(Proxy):
    async def ListRuns(self, request: Any, context: Any) -> Any:
        if request.page_token:
            request.page_token = str(int(request.page_token) - 1)
        return await self.pass_on("ListRuns", request, context)


class PagesTooLarge(Proxy):
    async def ListRuns(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("ListRuns", request, context)
        while request.page_size >= 1000 and answer.next_page_token:
            request.page_token = answer.next_page_token
            page = await self.pass_on("ListRuns", request, context)
            answer.runs.extend(page.runs)
            answer.next_page_token = page.next_page_token
        return answer


class SnapshotEndMiscounts(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            if event.HasField("snapshot_end"):
                event.snapshot_end.runs += 1
            yield event


class ActiveRunsComeLate(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        late: list[Any] = []
        snapshot = True
        async for event in self.stream("Watch", request, context):
            if snapshot and event.HasField("run") and event.run.state < TERMINAL:
                late.append(event)
                continue
            if event.HasField("snapshot_end"):
                snapshot = False
                event.snapshot_end.runs -= len(late)
            yield event
            if event.HasField("snapshot_end"):
                for one in late:
                    yield one


class OldSnapshotComesLast(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            yield event
            if event.run.state >= TERMINAL and event.run.revision > 1:
                event.run.revision -= 1
                yield event


class NoHeartbeat(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            if not event.HasField("heartbeat"):
                yield event


class NewestStreamRefused(Proxy):
    _open = 0

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._open += 1
        try:
            if self._open > 4:
                await context.abort(grpc.StatusCode.ABORTED, "too many streams")
            async for event in self.stream("Watch", request, context):
                yield event
        finally:
            self._open -= 1


class NoStartTime(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            if event.run.state >= TERMINAL:
                event.run.ClearField("start_time")
            yield event


class OutputIsNews(Proxy):
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self.stream("Watch", request, context):
            if event.run.state == pb.RUN_STATE_SUCCEEDED:
                grown = rpc.WatchResponse()
                grown.CopyFrom(event)
                grown.run.state = pb.RUN_STATE_RUNNING
                grown.run.ClearField("result")
                yield grown
                yield grown
            yield event


class CancelWaits(Proxy):
    async def CancelRun(self, request: Any, context: Any) -> Any:
        answer = await self.pass_on("CancelRun", request, context)
        while answer.run.state < TERMINAL:
            await asyncio.sleep(0.02)
            answer.run.CopyFrom((await self.ask("GetRun", rpc.GetRunRequest(key=request.key), context)).run)
        return answer


class NeverPolite(Proxy):
    async def CancelRun(self, request: Any, context: Any) -> Any:
        request.grace.FromMilliseconds(0)
        return await self.pass_on("CancelRun", request, context)


class ReasonDropped(Proxy):
    async def CancelRun(self, request: Any, context: Any) -> Any:
        request.reason = ""
        return await self.pass_on("CancelRun", request, context)


class UnknownCancelled(Proxy):
    async def CancelRun(self, request: Any, context: Any) -> Any:
        try:
            return await self.ask("CancelRun", request, context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return rpc.CancelRunResponse(run=pb.Run(key=request.key))
            await refuse(context, error)


class ResumeSkipsAByte(Proxy):
    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        skip = any(cursor.offset for cursor in request.cursors)
        async for part in self.stream("ReadOutput", request, context):
            if skip and part.HasField("chunk"):
                part.chunk.data = part.chunk.data[1:]
            yield part


class BytesMadeText(Proxy):
    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for part in self.stream("ReadOutput", request, context):
            if part.HasField("chunk"):
                part.chunk.data = part.chunk.data.decode(errors="replace").encode()
            yield part


class EndMiscounts(Proxy):
    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for part in self.stream("ReadOutput", request, context):
            if part.HasField("end"):
                part.end.total_bytes += 1
            yield part


class NoEndMarkers(Proxy):
    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for part in self.stream("ReadOutput", request, context):
            if not (request.follow and part.HasField("end")):
                yield part


class PastTheEndIsFine(Proxy):
    async def ReadOutput(self, request: Any, context: Any) -> AsyncIterator[Any]:
        call = self.stub.ReadOutput(request, metadata=self.metadata(context))
        try:
            async for part in call:
                yield part
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                await refuse(context, error)
        finally:
            call.cancel()


class UnlistedCode(Proxy):
    """Only a check that cleans up after itself forgets a key that is unknown with STOP; it does not look."""

    async def ForgetRun(self, request: Any, context: Any) -> Any:
        if request.mode == rpc.FORGET_MODE_STOP:
            try:
                await self.ask("GetRun", rpc.GetRunRequest(key=request.key), context)
            except grpc.aio.AioRpcError:
                await context.abort(grpc.StatusCode.DATA_LOSS, "no code of the table")
        return await self.pass_on("ForgetRun", request, context)


class OpenSocket(Proxy):
    socket_mode = 0o666
