"""What the scheduler decided; each action names the version of the Run it was decided on."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.events import Assigned, Cancelled, Failed, Held, Requeued, TimedOut
from kruntimes_core.model.run import Run


@dataclass(frozen=True, slots=True)
class Assign:
    """Give the Run to a member."""

    run: Run
    event: Assigned


@dataclass(frozen=True, slots=True)
class Requeue:
    """Its member is lost or never answered: the next attempt waits."""

    run: Run
    event: Requeued


@dataclass(frozen=True, slots=True)
class Hold:
    """Say in the Run's status why it waits."""

    run: Run
    event: Held


@dataclass(frozen=True, slots=True)
class End:
    """End a Run that no living member answers for."""

    run: Run
    event: Failed | TimedOut | Cancelled


# Whoever carries one out writes `action.event` into the status of `action.run`,
# on condition that the object still has `action.run.version`.
Action = Assign | Requeue | Hold | End
