"""The server kit over a real UNIX socket, with the fake server behind it: stop, limits, forget, drain."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.fake_server import fake_server, refused
from tests.runtime_client import Client, eventually, make_key, make_start


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with fake_server() as client:
        yield client


def seconds_between(run: pb.Run) -> float:
    return (run.end_time.ToNanoseconds() - run.start_time.ToNanoseconds()) / 1e9


# Stop and time


async def test_cancel_asks_politely_first(client: Client) -> None:
    await client.start(script={"hold": True, "farewell": "bye", "stop_exit_code": 0})
    run = await client.cancel(reason="USER_ASKED")
    assert (run.state, run.reason) == (pb.RUN_STATE_STOPPING, "USER_ASKED")
    run = await client.ended()
    assert (run.state, run.result.error.kind) == (pb.RUN_STATE_CANCELLED, pb.ERROR_KIND_CANCELLED)
    assert (run.result.error.reason, run.result.exit.code) == ("USER_ASKED", 0)
    assert run.channels[0].tail == b"bye"
    assert (await client.cancel()).revision == run.revision


async def test_who_ignores_the_polite_stop_is_killed_after_the_grace(client: Client) -> None:
    await client.start(script={"hold": True, "ignore_stop": True})
    assert (await client.cancel(grace=0.05)).state == pb.RUN_STATE_STOPPING
    run = await client.ended()
    assert (run.state, run.result.exit.signal) == (pb.RUN_STATE_CANCELLED, 9)
    with refused("NOT_FOUND", "RUN_UNKNOWN"):
        await client.cancel("other")


async def test_the_execution_limit_is_held_without_a_client_and_politely(client: Client) -> None:
    await client.start(
        script={"hold": True, "farewell": "bye"},
        execution_timeout={"nanos": 50_000_000},
    )
    run = await client.ended()
    assert (run.state, run.result.error.reason) == (pb.RUN_STATE_TIMED_OUT, "TIME_LIMIT")
    assert run.channels[0].tail == b"bye"
    assert seconds_between(run) >= 0.05


async def test_the_queue_limit_is_held_before_running(client: Client) -> None:
    await client.start(script={"start_for": 60}, queue_timeout={"nanos": 50_000_000})
    run = await client.ended()
    assert (run.state, run.result.error.reason) == (pb.RUN_STATE_TIMED_OUT, "QUEUE_TIME_LIMIT")
    assert not run.HasField("start_time")


async def test_cancel_during_the_grace_of_a_limit_stays_timed_out(client: Client) -> None:
    script = {"hold": True, "stop_takes": 60}
    await client.start(script=script, execution_timeout={"nanos": 1_000_000})
    await client.until(lambda run: run.state == pb.RUN_STATE_STOPPING)
    await client.cancel(grace=0)
    assert (await client.ended()).state == pb.RUN_STATE_TIMED_OUT


async def test_runs_of_a_silent_daemon_are_stopped(client: Client) -> None:
    request = rpc.HandshakeRequest()
    request.daemon_timeout.FromMilliseconds(300)
    await client.call("Handshake", request)
    async with client.watch() as watching:  # an open stream is no call
        await watching.snapshot()
        await client.start(script={"hold": True})
        run = await watching.ended()
    assert (run.state, run.result.error.reason) == (pb.RUN_STATE_CANCELLED, "DAEMON_LOST")


# Forget


async def test_forgotten_means_gone_everywhere_and_the_slot_was_free_before(client: Client) -> None:
    await client.start()
    await client.ended()
    assert (await client.status()).capacity.available["runs"] == 3
    await client.forget()
    await client.forget()
    for call in (client.get(), client.read(("stdout", 0))):
        with refused("NOT_FOUND", "RUN_UNKNOWN"):
            await call
    with refused("ABORTED", "RUN_FORGOTTEN"):
        await client.start()


async def test_forget_of_an_active_run_waits_for_the_end_of_its_work(client: Client) -> None:
    await client.start(script={"hold": True, "kill_takes": 0.1})
    with refused("FAILED_PRECONDITION", "RUN_ACTIVE"):
        await client.forget()
    detach = rpc.ForgetRunRequest(key=make_key(), mode=rpc.FORGET_MODE_DETACH)
    with refused("FAILED_PRECONDITION", "DETACH_UNAVAILABLE"):
        await client.call("ForgetRun", detach)
    await client.forget(stop=True)
    assert (await client.status()).capacity.active_runs == 0


async def test_forget_stop_of_work_that_does_not_go_is_unavailable_in_time(client: Client) -> None:
    await client.start(script={"hold": True, "kill_takes": 0.6})
    request = rpc.ForgetRunRequest(key=make_key(), mode=rpc.FORGET_MODE_STOP)
    call = client.stub.ForgetRun(request, metadata=client.metadata, timeout=0.4)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE

    async def gone() -> bool | None:
        return True if (await client.status()).capacity.active_runs == 0 else None

    await eventually(gone)


# Drain


async def test_drain_takes_nothing_new_and_lets_the_rest_end_in_time(client: Client) -> None:
    await client.start(script={"hold": True})
    async with client.watch() as watching:
        await watching.snapshot()
        assert (await client.call("Drain", rpc.DrainRequest())).active_runs == 1
        event = await watching.until(lambda one: one.HasField("server"))
        assert event.server.accept_state == status_pb2.ACCEPT_STATE_DRAINING
        with refused("UNAVAILABLE", "DRAINING"):
            await client.start("other")
        assert not (await client.call("StartRun", make_start(script={"hold": True}))).created
        await client.call("Drain", rpc.DrainRequest(timeout=Duration(nanos=1_000_000)))
        run = await watching.ended()
    error = run.result.error
    want = (pb.RUN_STATE_FAILED, pb.ERROR_KIND_INFRASTRUCTURE, "DRAINED", pb.RETRY_ADVICE_RETRY)
    assert (run.state, error.kind, error.reason, error.retry) == want


async def test_recovery_is_not_offered(client: Client) -> None:
    with refused("UNIMPLEMENTED", "NOT_OFFERED"):
        await client.call("RecoverRun", rpc.RecoverRunRequest(key=make_key()))
