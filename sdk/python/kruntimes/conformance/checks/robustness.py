"""RO: what must not bring a server down, and what every answer of the session kept to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.output import reading
from kruntimes.conformance.checks.watch import opened
from kruntimes.conformance.trial import Trial, expect
from kruntimes.runtime.v1 import types_pb2 as pb

_MESSAGE_BYTES: Final = 4 << 20
_STREAMS: Final = 20
_ANYWHERE: Final = frozenset(
    {
        "OK",
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "DEADLINE_EXCEEDED",
        "CANCELLED",
        "UNAVAILABLE",
    }
)
_LISTED: Final = {
    "Handshake": {"FAILED_PRECONDITION"},
    "GetServerStatus": set[str](),
    "StartRun": {
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "RESOURCE_EXHAUSTED",
        "UNIMPLEMENTED",
    },
    "GetRun": {"NOT_FOUND"},
    "ListRuns": set[str](),
    "CancelRun": {"NOT_FOUND"},
    "ForgetRun": {"FAILED_PRECONDITION"},
    "Watch": {"ABORTED", "UNIMPLEMENTED"},
    "ReadOutput": {"NOT_FOUND", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"},
    "RecoverRun": {"NOT_FOUND", "ALREADY_EXISTS", "ABORTED", "UNIMPLEMENTED"},
    "Drain": {"UNIMPLEMENTED"},
}


@check("RO-01", "binary_256", streams=1)
async def bad_utf8_harmless(trial: Trial) -> None:
    key = (await trial.run("binary_256")).key
    run = await trial.get(key)
    expect(run.key == key, "GetRun answers with another Run")
    expect(key in [one.key for one in await trial.listed()], "the Run is not listed")
    if trial.has_watch:
        async with opened(trial) as (_, events):
            keys = [event.run.key for event in events if event.HasField("run")]
            expect(key in keys, "the Run is not in a snapshot of Watch")


@check("RO-02", manner=Manner.LAST)
async def four_mebibytes(trial: Trial) -> None:
    size, method = trial.traffic.largest, trial.traffic.largest_of
    expect(size <= _MESSAGE_BYTES, f"an answer of {method} had {size} bytes")


@check("RO-04", "sleep_60", manner=Manner.ALONE)
async def idle_streams(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    async with _idle(trial, key):
        for _ in range(5):
            await trial.within(2.0, trial.get(key), "GetRun did not answer beside idle streams")
            await trial.within(2.0, trial.status(), "GetServerStatus did not answer beside idle streams")


@asynccontextmanager
async def _idle(trial: Trial, key: pb.RunKey) -> AsyncIterator[None]:
    """Twenty streams that nobody reads, or as many as the server serves where it has Watch alone."""
    async with AsyncExitStack() as stack:
        if trial.has_output:
            for _ in range(_STREAMS):
                request = reading(key, True, stdout=0)
                await stack.enter_async_context(trial.client.stream("ReadOutput", request))
        else:
            for _ in range(trial.facts.can.watch.max_streams or 2):
                await stack.enter_async_context(trial.watching())
        await asyncio.sleep(trial.scaled(0.2))
        yield


@check("RO-08", manner=Manner.LAST)
async def only_listed_codes(trial: Trial) -> None:
    strange = [
        f"{method} {code} ({number} times)"
        for (method, code), number in sorted(trial.traffic.codes.items())
        if code not in _ANYWHERE | _LISTED[method]
    ]
    expect(not strange, f"codes that are not in the table of errors: {', '.join(strange)}")
