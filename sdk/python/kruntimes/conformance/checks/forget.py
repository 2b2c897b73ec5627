"""FO: forgetting a Run, and refusing its key from then on."""

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.resources import asking, share_of
from kruntimes.conformance.client import Refused
from kruntimes.conformance.trial import STOP, TERMINAL, Trial, expect, fail, state_name
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb


@check("FO-01", "noop")
async def forget_terminal(trial: Trial) -> None:
    key = (await trial.run("noop")).key
    await trial.client.once("ForgetRun", rpc.ForgetRunRequest(key=key))
    await trial.refused("GetRun", rpc.GetRunRequest(key=key), "NOT_FOUND")
    expect(key not in [run.key for run in await trial.listed()], "a forgotten Run is listed")
    if trial.has_output:
        try:
            await trial.output(key)
        except Refused as refused:
            expect(refused.code == "NOT_FOUND", str(refused))
            return
        fail("the output of a forgotten Run can be read")


@check("FO-02", "sleep_60")
async def forget_active(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    await trial.refused("ForgetRun", rpc.ForgetRunRequest(key=key), "FAILED_PRECONDITION")
    run = await trial.get(key)
    expect(run.state < pb.RUN_STATE_STOPPING, f"the Run became {state_name(run)}")


@check("FO-03", "sleep_60")
async def forget_stop(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    await trial.forget(key, STOP)
    await trial.refused("GetRun", rpc.GetRunRequest(key=key), "NOT_FOUND")
    request = trial.request(trial.spec("sleep_60"), key)
    await trial.refused("StartRun", request, "ABORTED")


@check("FO-04")
async def forget_unknown(trial: Trial) -> None:
    await trial.client.call("ForgetRun", rpc.ForgetRunRequest(key=trial.key()))


@check("FO-05", "noop")
async def tombstone(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    await trial.client.call("StartRun", request)
    await trial.ended(request.key)
    await trial.forget(request.key)
    await trial.refused("StartRun", request, "ABORTED")
    await trial.refused("GetRun", rpc.GetRunRequest(key=request.key), "NOT_FOUND")


@check("FO-06", "noop")
async def tombstone_for_unseen(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    await trial.forget(request.key)
    await trial.refused("StartRun", request, "ABORTED")
    await trial.refused("GetRun", rpc.GetRunRequest(key=request.key), "NOT_FOUND")


@check("FO-08", "noop", manner=Manner.ALONE)
async def capacity_back_at_end(trial: Trial) -> None:
    name, amount, _ = share_of(await trial.status(), 1)
    for _ in range(3):
        request = trial.request(asking(trial, "noop", name, amount))
        try:
            await trial.client.once("StartRun", request)
        except Refused as refused:
            fail(f"all of {name} is free again, and a Run that asks for it is refused: {refused}")
        run = await trial.ended(request.key)
        expect(run.state >= TERMINAL, "the Run has not ended")


@check("FO-11", "noop")
async def tombstone_covers_lower(trial: Trial) -> None:
    second = trial.key(attempt=2)
    await trial.run("noop", second)
    await trial.forget(second)
    first = trial.request(trial.spec("noop"), trial.key(second.run_uid, attempt=1))
    await trial.refused("StartRun", first, "ABORTED")
    third = trial.request(trial.spec("noop"), trial.key(second.run_uid, attempt=3))
    await trial.client.call("StartRun", third)
    await trial.ended(third.key)
