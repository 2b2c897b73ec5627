"""HS: what a server says of itself, and whether it is so."""

from typing import Any, Final

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.client import Refused
from kruntimes.conformance.trial import Trial, expect, fail
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

HELLO: Final = rpc.HandshakeRequest(client="kruntimes-conformance", feature_level=1)
# A field that no version of the messages has: number 100000, a varint.
UNKNOWN_FIELD: Final = b"\x80\xea\x30\x01"
_DURABLE: Final = (cap.RUN_DURABILITY_POD, cap.RUN_DURABILITY_EXTERNAL)


@check("HS-01")
async def handshake_answers(trial: Trial) -> None:
    hello = await trial.within(5.0, trial.client.once("Handshake", HELLO), "Handshake did not answer")
    for name in ("server", "server_version", "instance_id"):
        expect(getattr(hello, name), f"Handshake leaves {name} empty")
    expect(hello.HasField("capabilities"), "Handshake has no capabilities")


@check("HS-02")
async def handshake_repeatable(trial: Trial) -> None:
    first = await trial.client.call("Handshake", HELLO)
    second = await trial.client.call("Handshake", HELLO)
    expect(
        first.instance_id == second.instance_id,
        f"instance_id was {first.instance_id!r} and then {second.instance_id!r}",
    )
    expect(first.capabilities == second.capabilities, "the capabilities of two Handshakes differ")


@check("HS-03", manner=Manner.APART)
async def instance_id_changes(trial: Trial) -> None:
    before = await trial.client.call("Handshake", HELLO)
    await trial.server.restart()
    after = await restarted(trial)
    expect(
        before.instance_id != after.instance_id, f"instance_id is {after.instance_id!r} also after a restart"
    )


async def restarted(trial: Trial) -> rpc.HandshakeResponse:
    """The first answer of the server that was just started anew."""

    async def look() -> Any:
        try:
            return await trial.client.once("Handshake", HELLO)
        except Refused as refused:
            if refused.code == "UNAVAILABLE":
                return None
            raise

    answer: rpc.HandshakeResponse = await trial.until(look, 30.0, "the restarted server did not answer")
    return answer


@check("HS-04")
async def scheduling_complete(trial: Trial) -> None:
    scheduling = trial.facts.can.scheduling
    for name in ("mode", "capacity_model", "durability"):
        expect(getattr(scheduling, name), f"capabilities.scheduling.{name} is not set")


@check("HS-05")
async def facts_consistent(trial: Trial) -> None:
    can = trial.facts.can
    facts = can.scheduling
    if facts.mode == cap.SCHEDULING_MODE_DELEGATED:
        expect(facts.queues, "mode is DELEGATED and queues is false")
    if facts.requeues:
        expect(facts.queues, "requeues is true and queues is false")
    if facts.durability in _DURABLE:
        expect(can.HasField("recover"), "durability is POD or EXTERNAL, and recover is not offered")
    if facts.capacity_model == cap.CAPACITY_MODEL_UNKNOWN:
        capacity = (await trial.status()).capacity
        expect(capacity.max_outstanding_runs, "capacity_model is UNKNOWN and max_outstanding_runs is zero")


@check("HS-06", "noop", streams=1)
async def offered_is_served(trial: Trial) -> None:
    key = (await trial.run("noop")).key
    can = trial.facts.can
    if can.HasField("watch"):
        async with trial.watching() as stream:
            await trial.within(5.0, anext(stream), "Watch sent nothing")
    if can.HasField("output"):
        for channel in ("stdout", "stderr"):
            await trial.output(key, channel)
    if can.HasField("recover"):
        await _served(trial, "RecoverRun", rpc.RecoverRunRequest(key=trial.key()))
    if can.workload.stdin:
        await _served(trial, "StartRun", trial.request(trial.spec("noop", stdin=b"offered")))
    if can.workload.secrets:
        await _served(trial, "StartRun", trial.request(trial.spec("noop", secret_env={"OFFERED": "yes"})))


async def _served(trial: Trial, method: str, request: Any) -> None:
    try:
        await trial.client.call(method, request)
    except Refused as refused:
        expect(refused.code != "UNIMPLEMENTED", f"{method} is offered, in part or whole: {refused}")


@check("HS-07", "noop")
async def not_offered_is_unimplemented(trial: Trial) -> None:
    key = (await trial.run("noop")).key
    can = trial.facts.can
    if not can.HasField("recover"):
        await trial.refused("RecoverRun", rpc.RecoverRunRequest(key=key), "UNIMPLEMENTED")
    if not can.HasField("drain"):
        await trial.refused("Drain", rpc.DrainRequest(), "UNIMPLEMENTED")
    if not can.HasField("watch"):
        await _stream_unimplemented(trial, "Watch", rpc.WatchRequest())
    if not can.HasField("output"):
        cursors = [rpc.OutputCursor(channel="stdout")]
        await _stream_unimplemented(trial, "ReadOutput", rpc.ReadOutputRequest(key=key, cursors=cursors))


async def _stream_unimplemented(trial: Trial, method: str, request: Any) -> None:
    async with trial.client.stream(method, request) as stream:
        try:
            await trial.within(5.0, anext(stream), f"{method} did not end")
        except Refused as refused:
            expect(refused.code == "UNIMPLEMENTED", f"{method} is not offered: {refused}")
            return
    fail(f"{method} is not offered and sends messages")


@check("HS-09")
async def newer_client_served(trial: Trial) -> None:
    newer = rpc.HandshakeRequest(client="from the future", feature_level=2**31)
    request = rpc.HandshakeRequest.FromString(newer.SerializeToString() + UNKNOWN_FIELD)
    hello = await trial.client.call("Handshake", request)
    expect(hello.instance_id == trial.facts.hello.instance_id, "a newer client is shown another instance")


@check("HS-11")
async def resources_described(trial: Trial) -> None:
    names = [one.name for one in trial.facts.can.scheduling.resources]
    expect(len(set(names)) == len(names), f"resource names come twice: {names}")
    for one in trial.facts.can.scheduling.resources:
        expect(one.name, "a resource has no name")
        expect(one.unit and one.enforcement, f"resource {one.name} lacks its unit or its enforcement")


@check("HS-13", "noop")
async def instance_in_snapshots(trial: Trial) -> None:
    wanted = trial.facts.hello.instance_id
    first = await trial.start("noop")
    seen: dict[str, pb.Run] = {"StartRun": first, "GetRun": await trial.ended(first.key)}
    seen["ListRuns"] = next(one for one in await trial.listed() if one.key == first.key)
    for method, run in seen.items():
        expect(run.instance_id == wanted, f"{method} shows instance_id {run.instance_id!r}, not {wanted!r}")
    expect((await trial.status()).instance_id == wanted, "GetServerStatus shows another instance_id")
