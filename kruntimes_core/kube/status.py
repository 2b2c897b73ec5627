"""What each event writes into a Run's status, as a merge patch; it sends nothing. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kruntimes_core.model.ending import Channel, Ending, Raised
from kruntimes_core.model.events import (
    Assigned,
    Cancelled,
    Delivered,
    Event,
    Failed,
    HandedBack,
    Held,
    Requeued,
    Started,
    Succeeded,
    TimedOut,
)
from kruntimes_core.model.run import TRANSITIONS, Run, TransitionRefused

Fields = dict[str, Any]
LONGEST_MESSAGE = 4096
LONGEST_TYPE = 256
LONGEST_TRACE = 8192

# null removes a field: nothing of an attempt that is over may stay.
_UNASSIGNED: Fields = {
    "assignedPod": None,
    "assignedPodUID": None,
    "assignedInstance": None,
    "startTime": None,
}
_UNTIMED: Fields = {"assigned": None, "delivered": None, "started": None}


def status_after(run: Run, event: Event, now: datetime) -> Fields:
    """Return the fields of status that the event changes; TransitionRefused if it cannot follow."""
    after = TRANSITIONS[run.phase].get(type(event))
    if after is None:
        raise TransitionRefused(
            f"Run {run.namespace}/{run.name} is {run.phase}: {type(event).__name__} cannot follow"
        )
    fields = _fields(run, event, now)
    return fields if after == run.phase else {"phase": after.value} | fields


def _fields(run: Run, event: Event, now: datetime) -> Fields:
    match event:
        case Held(reason, message):
            return _said(reason, message)
        case Assigned(assignment, at, queued):
            return {
                "attempt": max(run.attempt, 1),
                "assignedPod": assignment.pod,
                "assignedPodUID": assignment.pod_uid,
                "assignedInstance": assignment.instance or None,
                "notBefore": None,
                "timings": _known({"queued": queued, "assigned": at}),
            } | _said("", "")
        case Delivered(at):
            return {"timings": {"delivered": micro(at)}}
        case Started(at, delivered):
            timings = {"started": micro(at)} | _known({"delivered": delivered})
            return {"startTime": micro(at), "timings": timings}
        case HandedBack(reason, message, at, not_before, excluded):
            return _waiting(not_before, excluded, run.queued or at) | _said(reason, message)
        case Requeued():
            waiting = _waiting(event.not_before, event.excluded, event.at)
            tries = {"attempt": event.attempt, "losses": event.losses}
            return tries | waiting | _said(event.reason, event.message)
        case Succeeded(ending) | Failed(ending) | TimedOut(ending) | Cancelled(ending):
            return _ended(ending, now)


def _waiting(not_before: datetime | None, excluded: tuple[str, ...], queued: datetime) -> Fields:
    return _UNASSIGNED | {
        "notBefore": None if not_before is None else micro(not_before),
        "excludedPods": list(excluded) or None,
        "timings": _UNTIMED | {"queued": micro(queued)},
    }


def _ended(ending: Ending, now: datetime) -> Fields:
    # The server's clock told the end and ours tells now: what is stored has ended before all the same.
    stored = max(now, ending.ended or now)
    times = {
        "delivered": ending.delivered,
        "started": ending.started,
        "ended": ending.ended,
        "stored": stored,
    }
    measured = {
        "exitCode": ending.exit_code,
        "signal": ending.signal,
        "startTime": None if ending.started is None else micro(ending.started),
        "result": ending.result,
        "exception": None if ending.exception is None else _exception(ending.exception),
        "outputs": dict(ending.outputs) or None,
        "output": {name: _channel(channel) for name, channel in ending.output.items()} or None,
    }
    return {
        "completionTime": micro(ending.ended or now),
        "notBefore": None,
        "timings": _known(times),
        **{key: value for key, value in measured.items() if value is not None},
        **_said(ending.reason, ending.message),
    }


def _exception(raised: Raised) -> Fields:
    """Return it cut to size; of a long trace the end says where it happened."""
    return {"type": raised.type[:LONGEST_TYPE], "trace": raised.trace[-LONGEST_TRACE:]}


def _channel(channel: Channel) -> Fields:
    written: Fields = {"bytes": channel.size, "truncated": channel.truncated}
    tail = channel.tail
    if channel.size > len(tail):
        tail = _from_whole_character(tail)
    try:
        return written | {"tail": tail.decode()}
    except UnicodeDecodeError:
        return written | {"tailBase64": base64.b64encode(channel.tail).decode()}


def _from_whole_character(tail: bytes) -> bytes:
    """Return the tail without the rest of a UTF-8 character that was cut where the tail begins."""
    rest = next((index for index, byte in enumerate(tail[:4]) if byte & 0xC0 != 0x80), 0)
    return tail[rest:]


def _said(reason: str, message: str) -> Fields:
    return {"reason": reason or None, "message": message[:LONGEST_MESSAGE] or None}


def _known(times: Mapping[str, datetime | None]) -> Fields:
    return {name: micro(at) for name, at in times.items() if at is not None}


def micro(at: datetime) -> str:
    """Return a moment as Kubernetes writes a MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
