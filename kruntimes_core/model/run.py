"""A Run as scheduler and daemon see it, with its table of phases; it knows no JSON and no API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

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
from kruntimes_core.model.identity import Assignment, RunKey, RunRef
from kruntimes_core.model.resources import Amounts


class Phase(StrEnum):
    """Where a Run is."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMEOUT = "Timeout"
    CANCELLED = "Cancelled"


# Phase -> what may happen there -> phase after it. An empty row is an end.
TRANSITIONS: Mapping[Phase, Mapping[type[Event], Phase]] = {
    Phase.PENDING: {
        Held: Phase.PENDING,
        Assigned: Phase.SCHEDULED,
        Failed: Phase.FAILED,
        TimedOut: Phase.TIMEOUT,
        Cancelled: Phase.CANCELLED,
    },
    Phase.SCHEDULED: {
        Delivered: Phase.SCHEDULED,
        Started: Phase.RUNNING,
        HandedBack: Phase.PENDING,
        Requeued: Phase.PENDING,
        Succeeded: Phase.SUCCEEDED,
        Failed: Phase.FAILED,
        TimedOut: Phase.TIMEOUT,
        Cancelled: Phase.CANCELLED,
    },
    Phase.RUNNING: {
        Requeued: Phase.PENDING,
        Succeeded: Phase.SUCCEEDED,
        Failed: Phase.FAILED,
        TimedOut: Phase.TIMEOUT,
        Cancelled: Phase.CANCELLED,
    },
    Phase.SUCCEEDED: {},
    Phase.FAILED: {},
    Phase.TIMEOUT: {},
    Phase.CANCELLED: {},
}
TERMINAL = frozenset(phase for phase, row in TRANSITIONS.items() if not row)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What happens when the program fails; losses of members are counted besides."""

    max_attempts: int = 1
    backoff: float = 0.0
    retryable_reasons: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One version of one Run object. Durations are seconds, amounts base units."""

    namespace: str
    name: str
    uid: str
    version: str
    runtime: str
    created: datetime
    phase: Phase = Phase.PENDING
    attempt: int = 0
    losses: int = 0
    assignment: Assignment | None = None
    # What is reserved for it, "runs" included; a request that is missing took its limit.
    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)
    priority: int = 0
    timeout: float | None = None
    queue_timeout: float | None = None
    grace: float | None = None
    retry: RetryPolicy = RetryPolicy()
    cancel_requested: bool = False
    # It has a deletionTimestamp; only a foreign finalizer can show this.
    deleting: bool = False
    excluded: tuple[str, ...] = ()
    not_before: datetime | None = None
    # status.timings: None means not written. Until `queued` is, `created` (whole seconds) stands for it.
    queued: datetime | None = None
    assigned: datetime | None = None
    delivered: datetime | None = None
    started: datetime | None = None
    reason: str = ""
    message: str = ""
    # The object's spec as the API gave it; only the daemon reads it, and nobody changes it.
    spec: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def ref(self) -> RunRef:
        """Return the object's identity."""
        return RunRef(self.namespace, self.name, self.uid)

    @property
    def key(self) -> RunKey:
        """Return the name of the current try; it is not a try before it was first assigned."""
        return RunKey(self.uid, self.attempt)

    @property
    def is_terminal(self) -> bool:
        """Return whether nothing can happen to it any more."""
        return self.phase in TERMINAL

    @property
    def is_unwanted(self) -> bool:
        """Return whether its user wants it to end."""
        return self.cancel_requested or self.deleting


class TransitionRefused(Exception):
    """An event does not fit the phase a Run is in."""


def apply(run: Run, event: Event) -> Run:
    """Return the Run after the event; its version stays, since only a store gives versions."""
    after = TRANSITIONS[run.phase].get(type(event))
    if after is None:
        raise TransitionRefused(
            f"Run {run.namespace}/{run.name} is {run.phase}: {type(event).__name__} cannot follow"
        )
    return replace(run, phase=after, **_changes(run, event))


def _changes(run: Run, event: Event) -> dict[str, Any]:
    """Return the fields beside the phase that an event sets."""
    match event:
        case Held(reason, message):
            return {"reason": reason, "message": message}
        case Assigned(assignment, at, queued):
            return {
                "assignment": assignment,
                "attempt": max(run.attempt, 1),
                "assigned": at,
                "queued": run.queued or queued,
                "not_before": None,
                "reason": "",
                "message": "",
            }
        case Delivered(at):
            return {"delivered": at}
        case Started(at, delivered):
            return {"started": at, "delivered": delivered or run.delivered}
        case HandedBack(reason, message, at, not_before, excluded):
            return _unassigned(reason, message, not_before) | {
                "excluded": excluded,
                "queued": run.queued or at,
            }
        case Requeued():
            return _unassigned(event.reason, event.message, event.not_before) | {
                "attempt": event.attempt,
                "losses": event.losses,
                "excluded": event.excluded,
                "queued": event.at,
            }
        case Succeeded(ending) | Failed(ending) | TimedOut(ending) | Cancelled(ending):
            return {"reason": ending.reason, "message": ending.message, "not_before": None}


def _unassigned(reason: str, message: str, not_before: datetime | None) -> dict[str, Any]:
    cleared = {"assignment": None, "assigned": None, "delivered": None, "started": None}
    return cleared | {"reason": reason, "message": message, "not_before": not_before}
