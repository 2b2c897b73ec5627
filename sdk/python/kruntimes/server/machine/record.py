"""What the book knows of one Run: its states, the table of its steps, its record. Pure; never decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from kruntimes.server.author import End, RunError, RunKey


class State(IntEnum):
    """States a LOCAL Run passes through; the numbers of kruntimes.runtime.v1.RunState."""

    STARTING = 2
    RUNNING = 3
    STOPPING = 5
    SUCCEEDED = 10
    FAILED = 11
    CANCELLED = 12
    TIMED_OUT = 13

    @property
    def terminal(self) -> bool:
        """True when nothing follows."""
        return self >= 10


_ENDS: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.TIMED_OUT})

STEPS: Final[Mapping[State, frozenset[State]]] = {
    State.STARTING: frozenset({State.RUNNING, State.STOPPING}) | _ENDS,
    State.RUNNING: frozenset({State.STOPPING}) | _ENDS,
    State.STOPPING: _ENDS,
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.TIMED_OUT: frozenset(),
}


class Why(Enum):
    """What made the kit stop a Run; the first one stays."""

    CANCEL = "cancel"
    TIME_LIMIT = "time limit"
    QUEUE_TIME_LIMIT = "queue time limit"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class Cause:
    """The first cause of a stop, with the UPPER_SNAKE word and the sentence that the result will carry."""

    why: Why
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What acceptance promised. Amounts in base units, times in seconds; None means no limit."""

    requests: Mapping[str, int]
    grace: float
    execution_timeout: float | None = None
    queue_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One Run as it is at one revision. Times are seconds of one monotonic clock.

    `sequence` rises with acceptance; `kill_at` is when the hard stop is due, once a stop was asked for;
    `forgetting` means that the record goes as soon as the work has ended.
    """

    key: RunKey
    sequence: int
    digest: str
    terms: Terms
    accepted: float
    state: State = State.STARTING
    revision: int = 1
    started: float | None = None
    ended: float | None = None
    cause: Cause | None = None
    kill_at: float | None = None
    forgetting: bool = False
    end: End | None = None
    error: RunError | None = None

    def due(self, retention: float) -> float | None:
        """When time alone changes this Run next; None means never."""
        if self.ended is not None:
            return self.ended + retention
        if self.kill_at is not None:
            return self.kill_at
        if self.state is State.RUNNING and self.started is not None:
            return _after(self.started, self.terms.execution_timeout)
        return _after(self.accepted, self.terms.queue_timeout)


def _after(since: float, limit: float | None) -> float | None:
    return None if limit is None else since + limit
