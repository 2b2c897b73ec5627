"""What can happen to a Run; each event holds what its writer stores, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.identity import Assignment


@dataclass(frozen=True, slots=True)
class Held:
    """It goes on waiting, and this is why."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """The scheduler gave it to a member. `queued` is when its wait began, more exactly than `created`."""

    assignment: Assignment
    at: datetime
    queued: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Its daemon has taken it and will answer for it, though user code does not run yet."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Started:
    """Its user code runs."""

    at: datetime
    delivered: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Its member would not take it: the same attempt waits again."""

    reason: str
    message: str
    at: datetime
    not_before: datetime | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requeued:
    """This attempt is over: the next one waits. The receipt of times starts anew at `at`."""

    attempt: int
    losses: int
    reason: str
    message: str
    at: datetime
    not_before: datetime | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It ended well."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended badly, or could not be run."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class TimedOut:
    """One of its own time limits ended it."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Its user no longer wanted it."""

    ending: Ending


Ended = Succeeded | Failed | TimedOut | Cancelled
Event = Held | Assigned | Delivered | Started | HandedBack | Requeued | Ended
