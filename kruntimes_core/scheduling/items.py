"""What the scheduler remembers of one Run; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.model.run import Run
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.pool import Pool
from kruntimes_core.scheduling.shapes import Group, Rank


@dataclass(slots=True, eq=False)
class Item:
    """A Run waits in a group, or is charged to an account, or waits for an answer, or is only remembered."""

    # None once it is terminal: only the version is kept, so that no older one is believed.
    run: Run | None
    version: int
    # Order of arrival: decides between Runs of the same age.
    serial: int
    # Monotonic times at which it was first seen at all, first seen waiting, and first seen assigned.
    arrived: float
    waiting_since: float = 0.0
    assigned_since: float = 0.0
    # What those two were taken for: (attempt, queued) and (attempt, Pod UID, time of assignment).
    wait: tuple[object, ...] = ()
    place: tuple[object, ...] = ()
    queue_deadline: float | None = None
    # What it backs off for, and until when: read once, since wall clocks differ and jump.
    backoff: tuple[object, ...] = ()
    ready_at: float = 0.0
    # Decided, and not yet seen in the Run.
    pending: Action | None = None
    # Own writes: versions before this one are not believed.
    floor: int = 0
    repeats: int = 0
    pool: Pool | None = None
    group: Group | None = None
    account: Account | None = None
    timers: set[str] = field(default_factory=set)

    def rank(self, run: Run) -> Rank:
        """Return its place in the order of waiting Runs."""
        return (-run.priority, (run.queued or run.created).timestamp(), self.serial)
