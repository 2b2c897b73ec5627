"""Records and books as the messages of the protocol. Decides nothing."""

from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.server.author import STDERR, STDOUT, SYSTEM, End, RunError
from kruntimes.server.bounds import MESSAGE_BYTES, fit
from kruntimes.server.machine import Book, Record
from kruntimes.server.spool import Output

_NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Wall:
    """One wall-clock reading (Unix seconds) taken with a monotonic one: a clock jump bends no time."""

    unix: float
    monotonic: float

    def at(self, monotonic: float) -> Timestamp:
        """The wall-clock time of a monotonic one."""
        return timestamp(self.unix + monotonic - self.monotonic)


def timestamp(unix: float) -> Timestamp:
    """Unix seconds as a message."""
    nanos = round(unix * _NANO)
    return Timestamp(seconds=nanos // _NANO, nanos=nanos % _NANO)


def run_message(record: Record, wall: Wall, instance: str, output: Output) -> pb.Run:
    """The snapshot of one Run; at most 128 KiB, since every part is bounded before."""
    run = pb.Run(
        key=pb.RunKey(run_uid=record.key.uid, attempt=record.key.attempt),
        revision=record.revision,
        state=pb.RunState.ValueType(record.state),
        accept_time=wall.at(record.accepted),
        instance_id=instance,
        spec_digest=record.digest,
    )
    if record.started is not None:
        run.start_time.CopyFrom(wall.at(record.started))
    if record.terms.requests:
        run.allocation.resources.update(record.terms.requests)
    if record.cause is not None:
        run.reason, run.message = record.cause.reason, fit(record.cause.message, MESSAGE_BYTES)
    _add_channels(run, output, record.state.terminal)
    if record.ended is not None and record.end is not None:
        run.end_time.CopyFrom(wall.at(record.ended))
        _add_result(run, record.end, record.error)
    return run


def _add_result(run: pb.Run, end: End, error: RunError | None) -> None:
    result = run.result
    result.SetInParent()
    if end.exit_code is not None:
        result.exit.code = end.exit_code
    if end.signal is not None:
        result.exit.signal = end.signal
    if end.oom_killed:
        result.exit.oom_killed = True
    if end.outputs:
        result.outputs.update(end.outputs)
    if end.value is not None:
        result.value.content_type = end.value_type
        result.value.inline = end.value
    if end.usage is not None:
        run.usage.CopyFrom(end.usage)
    run.reason = run.message = ""
    if error is not None:
        result.error.kind = pb.ErrorKind.ValueType(error.kind)
        result.error.reason, result.error.message = error.reason, error.message
        result.error.retry = pb.RetryAdvice.ValueType(error.retry)
        result.error.exception_type, result.error.trace = error.exception_type, error.trace
        result.error.metadata.update(error.metadata)
        run.reason, run.message = error.reason, fit(error.message, MESSAGE_BYTES)


def _add_channels(run: pb.Run, output: Output, terminal: bool) -> None:
    for name in (STDOUT, STDERR, SYSTEM):
        channel = output.written(name)
        if channel is None:
            if name != SYSTEM:
                run.channels.add(name=name, closed=terminal)
            continue
        run.channels.add(
            name=name,
            first_offset=channel.first,
            end_offset=channel.end,
            closed=terminal,
            truncated=channel.truncated,
            tail=channel.tail() if terminal and name != SYSTEM else b"",
        )


def status_message(book: Book, wall: Wall, started: float, disk_problem: str) -> status_pb2.ServerStatus:
    """The snapshot of the server; `started` is when it began, `disk_problem` empty while output is kept."""
    draining = book.accepts is book.accepts.DRAINING
    ready = status_pb2.Condition(
        type="Ready",
        ok=not draining,
        reason="DRAINING" if draining else "SERVING",
        change_time=wall.at(book.drain_asked if book.drain_asked is not None else started),
    )
    disk = status_pb2.Condition(
        type="DiskOk",
        ok=not disk_problem,
        reason="WRITE_FAILED" if disk_problem else "WRITABLE",
        message=fit(disk_problem, MESSAGE_BYTES),
        change_time=wall.at(started),
    )
    return status_pb2.ServerStatus(
        instance_id=book.policy.instance,
        revision=book.status_revision,
        accept_state=status_pb2.AcceptState.ValueType(book.accepts),
        capacity=status_pb2.Capacity(
            total=book.amounts.total,
            available=book.amounts.available(),
            max_outstanding_runs=book.policy.max_outstanding,
            active_runs=book.active,
        ),
        conditions=[ready, disk],
    )
