"""TI: limits of time, that a server holds by itself."""

import asyncio
import time

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.handshake import HELLO
from kruntimes.conformance.trial import TERMINAL, Trial, duration, expect, state_name
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

_GRACE_SECONDS = 0.5
# A limit that nothing waits for: long enough to be none.
_NEVER_SECONDS = 86_400.0


async def _limited(trial: Trial, seconds: float) -> pb.RunKey:
    run = await trial.start(
        "sleep_60",
        execution_timeout=duration(seconds),
        termination_grace=duration(trial.scaled(_GRACE_SECONDS)),
    )
    return run.key


def _check_timed_out(trial: Trial, run: pb.Run, limit: float) -> None:
    expect(run.state == pb.RUN_STATE_TIMED_OUT, f"the Run ended {state_name(run)}")
    error = run.result.error
    kind = pb.ErrorKind.Name(error.kind)
    expect(error.kind == pb.ERROR_KIND_TIME_LIMIT, f"its error is of kind {kind}")
    expect(error.reason == "TIME_LIMIT", f"its reason is {error.reason}")
    ran = (run.end_time.ToNanoseconds() - run.start_time.ToNanoseconds()) / 1e9
    latest = limit + trial.scaled(_GRACE_SECONDS + 2.0)
    expect(limit - 0.05 <= ran <= latest, f"its limit is {limit} s, and it ran for {ran:.2f} s")


@check("TI-01", "sleep_60")
async def execution_timeout(trial: Trial) -> None:
    limit = trial.scaled(1.0)
    run = await trial.ended(await _limited(trial, limit), 5.0)
    _check_timed_out(trial, run, limit)


@check("TI-02", "sleep_60")
async def sub_second(trial: Trial) -> None:
    run = await trial.ended(await _limited(trial, 0.3), 5.0)
    _check_timed_out(trial, run, 0.3)


@check("TI-04", "sleep_60", manner=Manner.ALONE)
async def daemon_away(trial: Trial) -> None:
    limit = trial.scaled(1.0)
    key = await _limited(trial, limit)
    await trial.client.close()
    await asyncio.sleep(limit + trial.scaled(_GRACE_SECONDS))
    trial.client = trial.connect()
    _check_timed_out(trial, await trial.ended(key, 5.0), limit)


@check("TI-08", "sleep_60", manner=Manner.APART)
async def orphans_stop(trial: Trial) -> None:
    timeout = trial.scaled(1.0)
    while (key := await _kept_alive(trial, timeout)) is None:
        timeout *= 2
    await asyncio.sleep(timeout * 2)
    run = await trial.ended(key, 10.0)
    await _shake(trial, _NEVER_SECONDS)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"no call came, and the Run ended {state_name(run)}")
    reason = run.result.error.reason
    expect(reason == "DAEMON_LOST", f"no call came, and the Run ended for {reason}")


async def _kept_alive(trial: Trial, timeout: float) -> pb.RunKey | None:
    """A Run that lived on because calls came; None if this machine was too busy to make them in time."""
    key = (await trial.start("sleep_60")).key
    shaken = time.monotonic()
    await _shake(trial, timeout)
    # From the sending of one call to the answer of the next: no server can have waited longer between them.
    longest, last = 0.0, shaken
    for _ in range(10):
        await asyncio.sleep(timeout / 5)
        sent = time.monotonic()
        run = await trial.get(key)
        longest, last = max(longest, time.monotonic() - last), sent
        if run.state >= TERMINAL or run.state == pb.RUN_STATE_STOPPING:
            expect(longest > timeout, f"calls came in time, and the Run became {state_name(run)}")
            return None
    return key


async def _shake(trial: Trial, timeout: float) -> None:
    request = rpc.HandshakeRequest(client=HELLO.client, feature_level=1, daemon_timeout=duration(timeout))
    await trial.client.call("Handshake", request)
