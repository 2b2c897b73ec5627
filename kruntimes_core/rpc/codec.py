"""What a runtime server says, as plain values; never writes a request and never judges what it reads."""

from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from kruntimes.frames import End, Piece
from kruntimes.runtime.v1 import runtime_service_pb2, status_pb2
from kruntimes.runtime.v1 import types_pb2 as types

from kruntimes_core.daemon.server import ServerError, ServerRun, ServerStatus
from kruntimes_core.model.ending import Channel, Raised
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.runtime import AcceptState

# A state that a later server may know, and we do not, is one in which we bring it nothing.
ACCEPT_STATES: Final = {
    status_pb2.ACCEPT_STATE_ACCEPTING: AcceptState.ACCEPTING,
    status_pb2.ACCEPT_STATE_SATURATED: AcceptState.SATURATED,
    status_pb2.ACCEPT_STATE_DRAINING: AcceptState.DRAINING,
}
# The channels that a Run's status has room for; others can be read from the server alone.
SHOWN: Final = frozenset({"stdout", "stderr"})
# A value of another type, or one that is not in the message, has no place in a Run's status.
JSON: Final = "application/json"


def read_key(key: types.RunKey) -> RunKey:
    """One try of one Run."""
    return RunKey(key.run_uid, key.attempt)


def read_status(status: status_pb2.ServerStatus) -> ServerStatus:
    """What the server can take."""
    accept_state = ACCEPT_STATES.get(status.accept_state, AcceptState.NOT_READY)
    return ServerStatus(status.instance_id, accept_state, dict(status.capacity.total))


def read_run(run: types.Run) -> ServerRun:
    """One snapshot of one Run."""
    end = run.result.exit
    error = run.result.error
    return ServerRun(
        key=read_key(run.key),
        instance=run.instance_id,
        revision=run.revision,
        state=run.state,
        reason=run.reason,
        message=run.message,
        accepted=_time(run.HasField("accept_time"), run.accept_time),
        started=_time(run.HasField("start_time"), run.start_time),
        ended=_time(run.HasField("end_time"), run.end_time),
        exit_code=end.code if end.HasField("code") else None,
        signal=end.signal if end.HasField("signal") else None,
        oom_killed=end.oom_killed,
        error=_error(error) if run.result.HasField("error") else None,
        value=_value(run.result.value) if run.result.HasField("value") else None,
        outputs=dict(run.result.outputs),
        output={found.name: _channel(found) for found in run.channels if found.name in SHOWN},
    )


def read_part(key: RunKey, message: runtime_service_pb2.ReadOutputResponse) -> Piece | End | None:
    """One part of an attempt's output; None for a heartbeat, or something a later server says."""
    match message.WhichOneof("part"):
        case "chunk":
            chunk = message.chunk
            return Piece(key.uid, key.attempt, chunk.channel, chunk.offset, chunk.data)
        case "end":
            end = message.end
            return End(key.uid, key.attempt, end.channel, end.total_bytes, end.truncated)
        case _:
            return None


def _error(error: types.RunError) -> ServerError:
    raised = Raised(error.exception_type, error.trace) if error.exception_type or error.trace else None
    return ServerError(error.kind, error.reason, error.message, error.retry, raised)


def _value(value: types.Payload) -> str | None:
    if value.content_type != JSON or value.WhichOneof("location") != "inline":
        return None
    try:
        return value.inline.decode()
    except UnicodeDecodeError:  # not the JSON that it is said to be
        return None


def _channel(found: types.OutputChannel) -> Channel:
    return Channel(found.end_offset, found.truncated, found.tail)


def _time(given: bool, time: Timestamp) -> datetime | None:
    return time.ToDatetime(UTC) if given else None
