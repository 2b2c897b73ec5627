"""RC: what is taken and what is free."""

import asyncio
from typing import NamedTuple

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.handshake import HELLO
from kruntimes.conformance.client import Refused
from kruntimes.conformance.trial import TERMINAL, Impossible, Trial, expect
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb


class Share(NamedTuple):
    """Part of what is free of one resource, and how many such parts fit."""

    name: str
    amount: int
    fit: int


def share_of(status: status_pb2.ServerStatus, parts: int) -> Share:
    """A `parts`-th of what is free; of places where there are places. Raises Impossible."""
    free = {name: amount for name, amount in status.capacity.available.items() if amount >= parts}
    if not free:
        raise Impossible(f"no resource has {parts} free")
    name = "runs" if "runs" in free else min(free)
    amount = free[name] // parts
    return Share(name, amount, free[name] // amount)


def asking(trial: Trial, fixture: str, name: str, amount: int) -> pb.RunSpec:
    """A fixture's spec that asks for an amount of a resource."""
    spec = trial.spec(fixture)
    spec.resources.requests[name] = amount
    return spec


async def filled(trial: Trial, name: str, amount: int) -> pb.RunKey:
    """A running Run that holds the amount."""
    request = trial.request(asking(trial, "sleep_60", name, amount))
    await trial.client.call("StartRun", request)
    await trial.started(request.key)
    return request.key


async def free(trial: Trial, name: str) -> int:
    """What is free of one resource now."""
    return (await trial.status()).capacity.available[name]


@check("RC-01", "sleep_60", manner=Manner.ALONE)
async def books_balance(trial: Trial) -> None:
    before = await trial.status()
    name, amount, _ = share_of(before, 1)
    await filled(trial, name, amount)
    capacity = (await trial.status()).capacity
    seen = capacity.available[name]
    wanted = before.capacity.available[name] - amount
    expect(seen == wanted, f"{name}: {amount} more are taken, and {seen} are free instead of {wanted}")
    expect(capacity.active_runs >= 1, f"active_runs is {capacity.active_runs} while a Run is active")
    await _lesser_is_offered(trial, name, before.capacity.total[name])


async def _lesser_is_offered(trial: Trial, name: str, total: int) -> None:
    """What the Runtime object grants bounds what the server offers; the grant is taken back afterwards."""
    for granted in (max(1, total // 2), total * 2, total):
        request = rpc.HandshakeRequest(client=HELLO.client, feature_level=1, capacity={name: granted})
        hello = await trial.client.call("Handshake", request)
        offered = hello.status.capacity.total[name]
        wanted = min(granted, total)
        expect(offered == wanted, f"of {name} {granted} are granted and {total} there; offered: {offered}")


@check("RC-02", "sleep_60", manner=Manner.ALONE)
async def full_is_exhausted(trial: Trial) -> None:
    name, amount, _ = share_of(await trial.status(), 1)
    await filled(trial, name, amount)
    request = trial.request(asking(trial, "sleep_60", name, 1))
    await trial.refused("StartRun", request, "RESOURCE_EXHAUSTED")
    await trial.refused("GetRun", rpc.GetRunRequest(key=request.key), "NOT_FOUND")


@check("RC-03", "noop")
async def never_fits(trial: Trial) -> None:
    total = (await trial.status()).capacity.total
    for name in total:
        request = trial.request(asking(trial, "noop", name, total[name] + 1))
        await trial.refused("StartRun", request, "OUT_OF_RANGE")


@check("RC-04", "noop")
async def unknown_resource(trial: Trial) -> None:
    request = trial.request(asking(trial, "noop", "conformance.kruntimes.io/none", 1))
    await trial.refused("StartRun", request, "INVALID_ARGUMENT")


@check("RC-05", "sleep_60", manner=Manner.ALONE)
async def parallel_admission(trial: Trial) -> None:
    name, amount, fit = share_of(await trial.status(), 3)

    async def start() -> bool:
        try:
            request = trial.request(asking(trial, "sleep_60", name, amount))
            await trial.client.once("StartRun", request)
        except Refused as refused:
            expect(refused.code == "RESOURCE_EXHAUSTED", f"{refused}; it should be RESOURCE_EXHAUSTED")
            return False
        return True

    taken = sum(await asyncio.gather(*(start() for _ in range(fit + 1))))
    expect(taken == fit, f"of {fit + 1} starts at once for {fit} places {taken} were taken")


@check("RC-06", "noop", manner=Manner.ALONE)
async def available_restored(trial: Trial) -> None:
    before = await trial.status()
    name, amount, _ = share_of(before, 1)
    request = trial.request(asking(trial, "noop", name, amount))
    await trial.client.call("StartRun", request)
    run = await trial.ended(request.key)
    expect(run.state >= TERMINAL, "the Run has not ended")
    left = await free(trial, name)
    wanted = before.capacity.available[name]
    expect(left == wanted, f"{name}: {wanted} were free before the Run, {left} are after its end")
