"""What a runtime server says becomes plain values, with nothing lost that a Run's status keeps."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as types

from kruntimes_core.daemon.server import ServerError, ServerRun, ServerStatus
from kruntimes_core.model.ending import Channel, Raised
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.rpc.codec import read_run, read_status

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

ERROR = types.RunError(
    kind=types.ERROR_KIND_USER_CODE,
    reason="NON_ZERO_EXIT",
    message="it said no",
    retry=types.RETRY_ADVICE_NEVER,
    exception_type="ValueError",
    trace="line 1",
)


def stamp() -> Timestamp:
    found = Timestamp()
    found.FromDatetime(WHEN)
    return found


def test_a_terminal_snapshot_is_read_whole() -> None:
    run = types.Run(
        key=types.RunKey(run_uid="u", attempt=2),
        revision=7,
        state=types.RUN_STATE_FAILED,
        reason="NON_ZERO_EXIT",
        message="exit 7",
        accept_time=stamp(),
        start_time=stamp(),
        end_time=stamp(),
        instance_id="i",
    )
    run.result.exit.code = 7
    run.result.error.CopyFrom(ERROR)
    run.result.value.CopyFrom(types.Payload(content_type="application/json", inline=b"[1]"))
    run.result.outputs["k"] = "v"
    run.channels.add(name="stdout", end_offset=5000, truncated=True, tail=b"\xff\0")
    run.channels.add(name="system", end_offset=9)

    assert read_run(run) == ServerRun(
        key=RunKey("u", 2),
        instance="i",
        revision=7,
        state=11,
        reason="NON_ZERO_EXIT",
        message="exit 7",
        accepted=WHEN,
        started=WHEN,
        ended=WHEN,
        exit_code=7,
        error=ServerError(1, "NON_ZERO_EXIT", "it said no", 3, Raised("ValueError", "line 1")),
        value="[1]",
        outputs={"k": "v"},
        output={"stdout": Channel(5000, True, b"\xff\0")},
    )


def test_what_a_snapshot_does_not_say_is_none() -> None:
    assert read_run(types.Run(key=types.RunKey(run_uid="u", attempt=1))) == ServerRun(
        RunKey("u", 1), "", 0, 0
    )


NO_JSON = {
    "another type": types.Payload(content_type="image/png", inline=b"1"),
    "no type": types.Payload(inline=b"1"),
    "elsewhere": types.Payload(content_type="application/json", uri="s3://x"),
    "not what it is said to be": types.Payload(content_type="application/json", inline=b"\xff"),
}


@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
def test_a_value_that_a_run_has_no_place_for_is_left_where_it_is(value: types.Payload) -> None:
    run = types.Run()
    run.result.value.CopyFrom(value)

    assert read_run(run).value is None


def test_a_value_of_null_is_a_value() -> None:
    run = types.Run()
    run.result.value.CopyFrom(types.Payload(content_type="application/json", inline=b"null"))

    assert read_run(run).value == "null"


def test_an_exit_code_of_zero_is_said() -> None:
    run = types.Run()
    run.result.exit.code = 0

    assert (read_run(run).exit_code, read_run(run).signal) == (0, None)


def test_a_signal_is_no_exit_code() -> None:
    run = types.Run()
    run.result.exit.signal = 9
    run.result.exit.oom_killed = True

    assert (read_run(run).exit_code, read_run(run).signal, read_run(run).oom_killed) == (None, 9, True)


def test_a_terminal_state_of_a_later_server_is_still_terminal() -> None:
    run = types.Run()
    run.state = 17  # type: ignore[assignment]

    assert read_run(run).is_terminal


STATES = {
    "accepting": (status_pb2.ACCEPT_STATE_ACCEPTING, AcceptState.ACCEPTING),
    "full": (status_pb2.ACCEPT_STATE_SATURATED, AcceptState.SATURATED),
    "going away": (status_pb2.ACCEPT_STATE_DRAINING, AcceptState.DRAINING),
    "not ready": (status_pb2.ACCEPT_STATE_NOT_READY, AcceptState.NOT_READY),
    "one of a later server": (9, AcceptState.NOT_READY),
}


@pytest.mark.parametrize(("state", "want"), STATES.values(), ids=STATES.keys())
def test_a_status_is_read(state: int, want: AcceptState) -> None:
    status = status_pb2.ServerStatus(instance_id="i", capacity=status_pb2.Capacity(total={"runs": 4}))
    status.accept_state = state  # type: ignore[assignment]

    assert read_status(status) == ServerStatus("i", want, {"runs": 4})
