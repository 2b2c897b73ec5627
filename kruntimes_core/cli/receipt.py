"""Where the time of a Run went, step by step, so that the steps add up to the whole. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kruntimes import Timings

# What was done when a moment was reached; in order.
STEPS = {
    "assigned": "waited for a member",
    "delivered": "went to its member's daemon",
    "started": "workspace was made and program started",
    "ended": "program ran",
    "stored": "result was written",
}


@dataclass(frozen=True)
class Step:
    """One part of the way; `open` while it is not over."""

    name: str
    seconds: float
    open: bool = False


def receipt(timings: Timings, until: datetime | None = None) -> tuple[Step, ...]:
    """Return the steps between the moments that are known, and with `until` the one that goes on."""
    if timings.queued is None:
        return ()
    steps, last, going_on = [], timings.queued, 0
    for number, (moment, name) in enumerate(STEPS.items(), start=1):
        at: datetime | None = getattr(timings, moment)
        # A moment that was never written, as those of a Run that ended unassigned, has no step.
        if at is not None:
            steps.append(Step(name, (at - last).total_seconds()))
            last, going_on = at, number
    if until is not None and going_on < len(STEPS):
        steps.append(Step(list(STEPS.values())[going_on], (until - last).total_seconds(), open=True))
    return tuple(steps)
