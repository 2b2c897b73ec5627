"""ST: one key runs at most once, whoever calls how often."""

import asyncio
from collections.abc import Awaitable

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.handshake import UNKNOWN_FIELD
from kruntimes.conformance.checks.resources import filled, share_of
from kruntimes.conformance.trial import STOP, TERMINAL, Trial, expect, state_name
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

_PARALLEL = 20


@check("ST-01", "sleep_60")
async def start_returns_fast(trial: Trial) -> None:
    local = trial.facts.can.scheduling.mode == cap.SCHEDULING_MODE_LOCAL
    answer: Awaitable[rpc.StartRunResponse] = trial.client.once(
        "StartRun", trial.request(trial.spec("sleep_60"))
    )
    started = await trial.within(2.0 if local else 10.0, answer, "StartRun did not answer")
    expect(started.created, "StartRun of a new key says created false")
    expect(started.run.state < TERMINAL, f"a Run of a minute is {state_name(started.run)} at once")


@check("ST-02", "sleep_60")
async def same_key_same_digest(trial: Trial) -> None:
    request = trial.request(trial.spec("sleep_60"))
    first = await trial.client.once("StartRun", request)
    second = await trial.client.once("StartRun", request)
    expect(not second.created, "the second of two equal StartRuns says created true")
    expect(second.run.key == request.key, "the second of two equal StartRuns answers with another key")
    expect(second.run.accept_time == first.run.accept_time, "the Run was accepted a second time")
    known = [run for run in await trial.listed() if run.key.run_uid == request.key.run_uid]
    expect(len(known) == 1, f"two equal StartRuns are listed as {len(known)} Runs")


@check("ST-03", "noop")
async def parallel_duplicates(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    calls = (trial.client.once("StartRun", request) for _ in range(_PARALLEL))
    answers: list[rpc.StartRunResponse] = await asyncio.gather(*calls)
    created = sum(answer.created for answer in answers)
    expect(created == 1, f"of {_PARALLEL} equal StartRuns at once {created} say created true")


@check("ST-04", "sleep_60")
async def same_key_other_digest(trial: Trial) -> None:
    request = trial.request(trial.spec("sleep_60"))
    await trial.client.call("StartRun", request)
    before = await trial.started(request.key)
    other = rpc.StartRunRequest()
    other.CopyFrom(request)
    other.spec_digest = "sha256:other"
    await trial.refused("StartRun", other, "ALREADY_EXISTS")
    after = await trial.get(request.key)
    expect(after.state == before.state, f"the first Run became {state_name(after)}")
    expect(after.spec_digest in ("", request.spec_digest), "the first Run has the digest of the refused one")


@check("ST-05", "noop")
async def duplicate_after_end(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    await trial.client.call("StartRun", request)
    ended = await trial.ended(request.key)
    again = await trial.client.call("StartRun", request)
    expect(not again.created, "StartRun of a Run that has ended says created true")
    expect(again.run.state == ended.state, f"it answers with state {state_name(again.run)}")
    expect(again.run.result == ended.result, "it answers with another result")


@check("ST-06", "noop")
async def lower_attempt(trial: Trial) -> None:
    higher = trial.key(attempt=2)
    lower = trial.key(higher.run_uid, attempt=1)
    await trial.run("noop", higher)
    request = trial.request(trial.spec("noop"), lower)
    await trial.refused("StartRun", request, "ABORTED")
    await trial.forget(higher)
    await trial.refused("StartRun", request, "ABORTED")


@check("ST-07", "sleep_60", runs=2)
async def higher_attempt_while_active(trial: Trial) -> None:
    lower = (await trial.start("sleep_60")).key
    await trial.started(lower)
    higher = trial.key(lower.run_uid, attempt=2)
    request = trial.request(trial.spec("sleep_60"), higher)
    await trial.refused("StartRun", request, "FAILED_PRECONDITION")
    run = await trial.get(lower)
    expect(run.state < pb.RUN_STATE_STOPPING, f"the lower attempt became {state_name(run)}")
    await trial.forget(lower, STOP)
    await trial.client.call("StartRun", request)


@check("ST-08", "noop")
async def higher_attempt_after_end(trial: Trial) -> None:
    lower = (await trial.run("noop")).key
    higher = trial.key(lower.run_uid, attempt=2)
    answer = await trial.client.call("StartRun", trial.request(trial.spec("noop"), higher))
    expect(answer.created, "StartRun of the next attempt says created false")
    attempts = sorted(one.key.attempt for one in await trial.listed() if one.key.run_uid == lower.run_uid)
    expect(attempts == [1, 2], f"listed attempts are {attempts}, not 1 and 2")


@check("ST-09", "noop")
async def other_instance(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"))
    request.expected_instance_id = "one-that-never-was"
    await trial.refused("StartRun", request, "ABORTED")


@check("ST-16", "noop")
async def unknown_fields(trial: Trial) -> None:
    known = trial.request(trial.spec("noop"))
    spec = pb.RunSpec.FromString(known.spec.SerializeToString() + UNKNOWN_FIELD)
    known.spec.CopyFrom(spec)
    request = rpc.StartRunRequest.FromString(known.SerializeToString() + UNKNOWN_FIELD)
    await trial.client.call("StartRun", request)
    run = await trial.ended(request.key)
    expect(run.state == pb.RUN_STATE_SUCCEEDED, f"with unknown fields a Run ends {state_name(run)}")


@check("ST-19", "noop", "sleep_60", manner=Manner.ALONE)
async def order_of_checks(trial: Trial) -> None:
    request = trial.request(trial.spec("noop"), trial.key(attempt=2))
    await trial.client.call("StartRun", request)
    await trial.ended(request.key)
    bad = pb.RunSpec(namespace="conformance", name="no-workload")
    known = rpc.StartRunRequest(key=request.key, spec_digest=request.spec_digest, spec=bad)
    answer = await trial.client.call("StartRun", known)
    expect(not answer.created, "a known key with a bad spec is created anew")
    stale = rpc.StartRunRequest(key=trial.key(request.key.run_uid), spec_digest="d", spec=bad)
    await trial.refused("StartRun", stale, "ABORTED")
    stranger = rpc.StartRunRequest(key=trial.key(), spec_digest="d", spec=bad, expected_instance_id="other")
    await trial.refused("StartRun", stranger, "ABORTED")
    malformed = rpc.StartRunRequest(key=pb.RunKey(attempt=1), spec=bad, expected_instance_id="other")
    await trial.refused("StartRun", malformed, "INVALID_ARGUMENT")
    if trial.facts.can.scheduling.capacity_model == cap.CAPACITY_MODEL_FIXED:
        name, amount, _ = share_of(await trial.status(), 1)
        await filled(trial, name, amount)
        answer = await trial.client.call("StartRun", request)
        expect(not answer.created, "a known key is created anew by a full server")
