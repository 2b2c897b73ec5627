"""Carries out the calls a Run needs at the runtime server, and says what it answered; decides nothing."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.types_pb2 import Run as WireRun

from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.apps.daemon.preparation import Preparation
from kruntimes_core.clock import Clock
from kruntimes_core.daemon.instructions import (
    Answered,
    Cancel,
    Done,
    Forget,
    Look,
    Outcome,
    Refused,
    Start,
    TooLate,
)
from kruntimes_core.kube.codec import spec_digest
from kruntimes_core.rpc.client import DEADLINE, RuntimeClient
from kruntimes_core.rpc.codec import read_run
from kruntimes_core.rpc.errors import CallFailed
from kruntimes_core.rpc.requests import name_fields_as_written, start_request, to_duration, to_wire

# A call with less time than this left would only be cut off on its way.
SHORTEST: Final = 0.05


class Calls:
    """The server's side of every Run."""

    def __init__(
        self,
        client: RuntimeClient,
        clock: Clock,
        preparation: Preparation,
        outputs: Outputs,
        started: asyncio.Event,
    ) -> None:
        self._client = client
        self._clock = clock
        self._preparation = preparation
        self._outputs = outputs
        self._started = started

    async def start(self, order: Start) -> Outcome:
        """StartRun, with a deadline that ends no later than the order's own."""
        now = self._clock.now()
        left = order.not_after - now.monotonic
        if left < SHORTEST:
            return TooLate()
        workspace = self._preparation.path(order.key)
        digest = spec_digest(order.run.spec)
        request = start_request(order.run, digest, workspace, order.instance, now.wall)
        outcome = await _answer(self._client.start(request, min(left, DEADLINE)))
        self._started.set()
        if isinstance(outcome, Refused):  # it may become the Run's message
            return replace(outcome, message=name_fields_as_written(outcome.message))
        return outcome

    async def cancel(self, order: Cancel) -> Outcome:
        """CancelRun."""
        request = wire.CancelRunRequest(key=to_wire(order.key), reason=order.reason)
        if order.grace is not None:
            request.grace.CopyFrom(to_duration(order.grace))
        return await _answer(self._client.cancel(request))

    async def look(self, order: Look) -> Outcome:
        """GetRun."""
        return await _answer(self._client.read_run(to_wire(order.key)))

    async def forget(self, order: Forget) -> Outcome:
        """ForgetRun."""
        try:
            await self._client.forget(to_wire(order.key), order.stop)
        except CallFailed as failed:
            return Refused(failed.code, failed.reason, failed.message)
        self._preparation.let_go(order.key)
        self._outputs.drop(order.key)
        return Done()


async def _answer(call: Awaitable[WireRun]) -> Outcome:
    try:
        return Answered(read_run(await call))
    except CallFailed as failed:
        return Refused(failed.code, failed.reason, failed.message)
