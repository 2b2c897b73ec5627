"""CA: stopping a Run, politely first."""

import time

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.trial import STOP, TERMINAL, Trial, expect, state_name
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

_GRACE_SECONDS = 0.5


@check("CA-01", "sleep_60")
async def cancel_running(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    await trial.cancel(key, reason="CONFORMANCE_TEST")
    run = await trial.ended(key)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"a cancelled Run ended {state_name(run)}")
    kind = pb.ErrorKind.Name(run.result.error.kind)
    expect(run.result.error.kind == pb.ERROR_KIND_CANCELLED, f"its error is of kind {kind}")
    reason = run.result.error.reason
    expect(reason == "CONFORMANCE_TEST", f"its reason is {reason!r}, not the one of the request")


@check("CA-02", "ignore_term")
async def returns_at_once(trial: Trial) -> None:
    key = await trial.readied("ignore_term")
    call = trial.client.once("CancelRun", rpc.CancelRunRequest(key=key))
    answer = await trial.within(1.0, call, "CancelRun did not answer")
    expect(answer.run.key == key, "CancelRun answers with another Run")


@check("CA-03", "farewell_on_term")
async def polite_first(trial: Trial) -> None:
    key = await trial.readied("farewell_on_term")
    await trial.cancel(key, grace=trial.scaled(10.0))
    run = await trial.ended(key)
    expect(b"farewell" in await _said(trial, run), "the program was not told to stop before it was ended")


async def _said(trial: Trial, run: pb.Run) -> bytes:
    if trial.has_output:
        return await trial.output(run.key)
    return next((one.tail for one in run.channels if one.name == "stdout"), b"")


@check("CA-04", "ignore_term")
async def hard_after_grace(trial: Trial) -> None:
    key = await trial.readied("ignore_term")
    await trial.cancel(key, grace=trial.scaled(_GRACE_SECONDS))
    run = await trial.ended(key, _GRACE_SECONDS + 5.0)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"a cancelled Run ended {state_name(run)}")


@check("CA-05", "wrapper_and_child")
async def grace_for_the_tree(trial: Trial) -> None:
    key = await trial.readied("wrapper_and_child")
    await trial.cancel(key, grace=trial.scaled(10.0))
    run = await trial.ended(key)
    expect(
        b"farewell" in await _said(trial, run), "the child was ended with its parent, within its own grace"
    )


@check("CA-08", "noop")
async def cancel_terminal(trial: Trial) -> None:
    ended = await trial.run("noop")
    answer = await trial.cancel(ended.key, reason="TOO_LATE")
    expect(answer.state == ended.state, f"CancelRun of an ended Run answers {state_name(answer)}")
    later = await trial.get(ended.key)
    expect(later.result == ended.result, "CancelRun of an ended Run changed its result")


@check("CA-09")
async def cancel_unknown(trial: Trial) -> None:
    await trial.refused("CancelRun", rpc.CancelRunRequest(key=trial.key()), "NOT_FOUND")


@check("CA-11", "ignore_term", "noop", runs=2)
async def slow_stop_harms_nobody(trial: Trial) -> None:
    slow = await trial.readied("ignore_term")
    await trial.cancel(slow, grace=trial.scaled(30.0))
    began = time.monotonic()
    await trial.ended((await trial.start("noop")).key, 5.0)
    took = time.monotonic() - began
    run = await trial.get(slow)
    expect(run.state < TERMINAL, f"the slow Run ended {state_name(run)} before its grace, after {took:.1f} s")
    await trial.forget(slow, STOP)


@check("CA-12", "farewell_on_term")
async def zero_after_stop(trial: Trial) -> None:
    key = await trial.readied("farewell_on_term")
    await trial.cancel(key, grace=trial.scaled(10.0))
    run = await trial.ended(key)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"a cancelled Run that answered 0 ended {state_name(run)}")
    exited = run.result.exit
    expect(exited.HasField("code") and exited.code == 0, f"its exit code 0 is not kept: {exited}")
