"""The server kit over a real UNIX socket, with the fake server behind it: every unary call."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.fake_server import fake_server, refused
from tests.runtime_client import Client, make_start


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with fake_server() as client:
        yield client


# Handshake


async def test_handshake_tells_what_the_server_is_and_can(client: Client) -> None:
    hello = await client.call("Handshake", rpc.HandshakeRequest(feature_level=99))
    assert (hello.server, hello.feature_level) == ("io.kruntimes.fake", 1)
    can = hello.capabilities
    assert (can.scheduling.mode, can.scheduling.capacity_model, can.scheduling.durability) == (1, 1, 1)
    assert can.HasField("watch")
    assert can.HasField("output")
    assert can.HasField("drain")
    assert not can.HasField("recover")
    assert list(can.output.channels) == ["stdout", "stderr", "system"]
    assert hello.limits.tombstone_ttl.seconds == 600
    assert hello.status.accept_state == status_pb2.ACCEPT_STATE_ACCEPTING
    again = await client.call("Handshake", rpc.HandshakeRequest())
    assert (again.instance_id, again.capabilities) == (hello.instance_id, can)


async def test_granted_capacity_bounds_what_is_offered(client: Client) -> None:
    hello = await client.call("Handshake", rpc.HandshakeRequest(capacity={"runs": 1, "cpu": 9}))
    assert dict(hello.status.capacity.total) == {"runs": 1}
    await client.start("a", script={"hold": True})
    with refused("RESOURCE_EXHAUSTED", "SERVER_FULL"):
        await client.start("b")


async def test_config_is_applied_once_and_checked(client: Client) -> None:
    async def shake(config: str) -> None:
        await client.call("Handshake", rpc.HandshakeRequest(config_json=config))

    with refused("INVALID_ARGUMENT", "CONFIG_INVALID"):
        await shake('{"unheard": 1}')
    await shake('{"defaults": {"exit_code": 3}}')
    await shake('{ "defaults": {"exit_code":3} }')
    await shake("")
    with refused("FAILED_PRECONDITION", "CONFIG_CHANGED"):
        await shake('{"defaults": {}}')
    await client.start()
    assert (await client.ended()).result.exit.code == 3


# Start and attempts


async def test_a_run_ends_with_all_its_snapshot_says(client: Client) -> None:
    script = {"stdout": "out", "stderr": "err", "outputs": {"a": "1"}, "value": {"n": 2}}
    first = await client.start(script=script)
    assert first.allocation.resources["runs"] == 1
    run = await client.ended()
    assert run.state == pb.RUN_STATE_SUCCEEDED
    assert (run.result.exit.code, run.result.HasField("error")) == (0, False)
    assert (dict(run.result.outputs), run.result.value.inline) == ({"a": "1"}, b'{"n": 2}')
    assert run.accept_time.ToNanoseconds() <= run.start_time.ToNanoseconds() <= run.end_time.ToNanoseconds()
    assert {one.name: (one.tail, one.end_offset, one.closed) for one in run.channels} == {
        "stdout": (b"out", 3, True),
        "stderr": (b"err", 3, True),
    }
    assert (run.spec_digest, run.instance_id) == ("sha256:d", first.instance_id)
    assert run.revision > first.revision


SCRIPTS: dict[str, tuple[dict[str, Any], int, int, str]] = {
    "exit 7": ({"exit_code": 7}, pb.RUN_STATE_FAILED, pb.ERROR_KIND_USER_CODE, "NON_ZERO_EXIT"),
    "signal": ({"signal": 11}, pb.RUN_STATE_FAILED, pb.ERROR_KIND_USER_CODE, "KILLED_BY_SIGNAL"),
    "own error": (
        {"fail": {"kind": "INFRASTRUCTURE", "reason": "DISK_LOST", "retry": "RETRY"}},
        pb.RUN_STATE_FAILED,
        pb.ERROR_KIND_INFRASTRUCTURE,
        "DISK_LOST",
    ),
    "unloadable": (
        {"load_failure": {"reason": "SOURCE_INVALID"}},
        pb.RUN_STATE_FAILED,
        pb.ERROR_KIND_USER_INPUT,
        "SOURCE_INVALID",
    ),
    "bug in start": ({"break": "start"}, pb.RUN_STATE_FAILED, pb.ERROR_KIND_SERVER, "SERVER_ERROR"),
    "bug in wait": ({"break": "wait"}, pb.RUN_STATE_FAILED, pb.ERROR_KIND_SERVER, "SERVER_ERROR"),
    "too large": (
        {"outputs": {"a": "x" * 40_000}},
        pb.RUN_STATE_FAILED,
        pb.ERROR_KIND_RESOURCE_LIMIT,
        "RESULT_TOO_LARGE",
    ),
}


@pytest.mark.parametrize(("script", "state", "kind", "reason"), SCRIPTS.values(), ids=SCRIPTS)
async def test_how_runs_fail(
    client: Client, script: dict[str, Any], state: int, kind: int, reason: str
) -> None:
    await client.start(script=script)
    run = await client.ended()
    assert (run.state, run.result.error.kind, run.result.error.reason) == (state, kind, reason)
    assert run.reason == reason


async def test_a_repeated_start_creates_nothing_and_another_digest_is_refused(client: Client) -> None:
    request = make_start(script={"hold": True})
    answers = [await client.call("StartRun", request) for _ in range(3)]
    assert [answer.created for answer in answers] == [True, False, False]
    request.spec_digest = "sha256:other"
    with refused("ALREADY_EXISTS", "SPEC_MISMATCH"):
        await client.call("StartRun", request)
    assert (await client.status()).capacity.active_runs == 1


async def test_attempts_follow_one_another(client: Client) -> None:
    await client.start(script={"hold": True})
    with refused("FAILED_PRECONDITION", "PREVIOUS_ATTEMPT_ACTIVE"):
        await client.start(attempt=2)
    await client.forget(stop=True)
    await client.start(attempt=2)
    with refused("ABORTED", "RUN_FORGOTTEN"):
        await client.start(attempt=1)
    with refused("INVALID_ARGUMENT", "KEY_INVALID"):
        await client.start(attempt=0)


async def test_a_start_meant_for_another_instance_is_refused(client: Client) -> None:
    request = make_start()
    request.expected_instance_id = "another"
    with refused("ABORTED", "INSTANCE_CHANGED"):
        await client.call("StartRun", request)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("SERVER_FULL", "RESOURCE_EXHAUSTED"),
        ("NOT_READY", "UNAVAILABLE"),
        ("DRAINING", "UNAVAILABLE"),
        ("EXCEEDS_TOTAL", "OUT_OF_RANGE"),
    ],
)
async def test_a_scripted_refusal_leaves_no_trace(client: Client, reason: str, code: str) -> None:
    script = {"refuse": reason, "refuse_times": 1}
    with refused(code, reason):
        await client.start(script=script)
    with refused("NOT_FOUND", "RUN_UNKNOWN"):
        await client.get()
    assert (await client.start(script=script)).key.run_uid == "u"


async def test_a_bad_spec_names_its_field(client: Client) -> None:
    with refused("INVALID_ARGUMENT", "PARAMETERS_INVALID"):
        await client.start(script={"run_for": "long"})
    with refused("INVALID_ARGUMENT", "RESOURCE_UNKNOWN"):
        await client.start(resources=pb.Resources(requests={"gpu": 1}))
    with refused("OUT_OF_RANGE", "EXCEEDS_TOTAL"):
        await client.start(resources=pb.Resources(requests={"runs": 4}))
    with refused("UNIMPLEMENTED", "NOT_OFFERED"):
        await client.start(secret_env={"A": "b"})


async def test_pages_hold_every_run_once_and_stay_under_two_mebibytes(client: Client) -> None:
    for number in range(5):
        await client.start(f"u{number}")
        await client.ended(f"u{number}")
    found, token = [], ""
    while True:
        page = await client.call("ListRuns", rpc.ListRunsRequest(page_size=2, page_token=token))
        assert len(page.runs) <= 2
        found += [run.key.run_uid for run in page.runs]
        if not (token := page.next_page_token):
            break
    assert found == [f"u{number}" for number in range(5)]
    for size, wrong in ((-1, ""), (0, "x"), (0, "-5")):
        with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
            await client.call("ListRuns", rpc.ListRunsRequest(page_size=size, page_token=wrong))


async def test_large_pages_are_cut_by_their_bytes(client: Client) -> None:
    for number in range(80):
        await client.start(f"u{number}", script={"outputs": {"a": "x" * 32_000}})
        await client.ended(f"u{number}")
    page = await client.call("ListRuns", rpc.ListRunsRequest(page_size=1000))
    assert page.ByteSize() < 2 << 20
    assert page.next_page_token
    rest = await client.call("ListRuns", rpc.ListRunsRequest(page_size=1000, page_token=page.next_page_token))
    assert len(page.runs) + len(rest.runs) == 80


async def test_a_refusal_of_any_text_fits_into_the_answer(client: Client) -> None:
    """A schema error quotes what was sent, which can be long and no valid text."""
    for wrong in ("x" * 60_000, "\ud800"):
        with refused("INVALID_ARGUMENT", "PARAMETERS_INVALID"):
            await client.start(script={"run_for": wrong})
