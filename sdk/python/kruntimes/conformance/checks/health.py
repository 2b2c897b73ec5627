"""HL: the standard health service, and the status."""

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.trial import Trial, expect, fail
from kruntimes.runtime.v1 import status_pb2

SERVICE = "kruntimes.runtime.v1.RuntimeService"
_TAKING = (status_pb2.ACCEPT_STATE_ACCEPTING, status_pb2.ACCEPT_STATE_SATURATED)


async def health(trial: Trial, service: str) -> int:
    """The health of one name, asked without a token."""
    stub = health_pb2_grpc.HealthStub(trial.client.channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=trial.scaled(5.0))
    except grpc.aio.AioRpcError as error:
        fail(f"health of {service!r} answered {error.code().name}")
    return int(answer.status)


@check("HL-01")
async def overall_serving(trial: Trial) -> None:
    expect(await health(trial, "") == health_pb2.HealthCheckResponse.SERVING, 'health of "" is not SERVING')


@check("HL-02")
async def service_serving(trial: Trial) -> None:
    accepts = (await trial.status()).accept_state
    found = await health(trial, SERVICE)
    if accepts in _TAKING:
        expect(found == health_pb2.HealthCheckResponse.SERVING, f"health of {SERVICE} is not SERVING")
    else:
        expect(found == health_pb2.HealthCheckResponse.NOT_SERVING, f"{SERVICE} is SERVING and takes no Runs")


@check("HL-05", "noop")
async def status_revision(trial: Trial) -> None:
    seen = [(await trial.status()).revision]
    for _ in range(3):
        key = (await trial.start("noop")).key
        seen.append((await trial.status()).revision)
        await trial.ended(key)
        seen.append((await trial.status()).revision)
        await trial.forget(key)
        seen.append((await trial.status()).revision)
    expect(seen == sorted(seen), f"revisions of the status, one after another: {seen}")
    expect(seen[0] > 0, "the revision of the status is zero")
