"""DR: a server that goes away."""

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.health import SERVICE, health
from kruntimes.conformance.client import Refused
from kruntimes.conformance.target import GRACE_SECONDS
from kruntimes.conformance.trial import STOP, Trial, duration, expect, state_name
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb

DRAINING = status_pb2.ACCEPT_STATE_DRAINING


async def _takes_none(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    refused = await trial.refused("StartRun", request, "UNAVAILABLE")
    expect(refused.reason in ("", "DRAINING"), f"a draining server refuses with reason {refused.reason}")
    accepts = (await trial.status()).accept_state
    expect(accepts == DRAINING, f"the accept state is {status_pb2.AcceptState.Name(accepts)}")


@check("DR-01", "noop", manner=Manner.OWN)
async def no_new_runs(trial: Trial) -> None:
    await trial.client.call("Drain", rpc.DrainRequest())
    await _takes_none(trial)


@check("DR-02", "sleep_60", "noop", manner=Manner.OWN)
async def old_runs_go_on(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    ended = (await trial.run("noop")).key
    await trial.started(key)
    answer = await trial.client.call("Drain", rpc.DrainRequest())
    expect(answer.active_runs == 1, f"Drain says {answer.active_runs} active Runs; there is one")
    run = await trial.get(key)
    expect(run.state == pb.RUN_STATE_RUNNING, f"a Run of a draining server became {state_name(run)}")
    if trial.has_output:
        await trial.output(ended)
    await trial.cancel(key, grace=0.2)
    run = await trial.ended(key)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"cancelled while draining it ended {state_name(run)}")


@check("DR-03", "sleep_60", manner=Manner.OWN)
async def timeout(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    await trial.client.call("Drain", rpc.DrainRequest(timeout=duration(trial.scaled(0.5))))
    run = await trial.ended(key, 10.0)
    error = run.result.error
    expect(run.state == pb.RUN_STATE_FAILED, f"the Run ended {state_name(run)}")
    kind = pb.ErrorKind.Name(error.kind)
    expect(error.kind == pb.ERROR_KIND_INFRASTRUCTURE, f"its error is of kind {kind}")
    expect(error.reason == "DRAINED", f"its reason is {error.reason}")
    advice = pb.RetryAdvice.Name(error.retry)
    expect(error.retry == pb.RETRY_ADVICE_RETRY, f"its advice is {advice}")


@check("DR-05", "sleep_60", "noop", manner=Manner.OWN)
async def sigterm(trial: Trial) -> None:
    ended = (await trial.run("noop")).key
    running = (await trial.start("sleep_60")).key
    await trial.started(running)
    await trial.server.terminate()

    async def draining() -> bool:
        return bool((await trial.status()).accept_state == DRAINING)

    await trial.until(draining, 5.0, "after SIGTERM the server did not say DRAINING")
    await _takes_none(trial)
    expect(await health(trial, SERVICE) != 1, f"health of {SERVICE} is SERVING while draining")
    run = await trial.get(ended)
    expect(run.state == pb.RUN_STATE_SUCCEEDED, "a Run that ended before SIGTERM cannot be read")
    expect(not await trial.server.exited(0.0), "the server ended before its Runs were forgotten")
    await _forget(trial, running)
    await _forget(trial, ended)
    gone = await trial.server.exited(GRACE_SECONDS)
    expect(gone, f"every Run is forgotten, and the server has not ended after {GRACE_SECONDS:.0f} s")


async def _forget(trial: Trial, key: pb.RunKey) -> None:
    """Sent once, and the last answer may go with the server."""
    try:
        await trial.client.once("ForgetRun", rpc.ForgetRunRequest(key=key, mode=STOP))
    except Refused as refused:
        expect(refused.code == "UNAVAILABLE", str(refused))
