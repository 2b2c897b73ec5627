"""What a runtime server says of itself and of its Runs, as plain values; it decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from kruntimes_core.model.ending import Channel, Raised
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.runtime import AcceptState


class RunState(IntEnum):
    """Numbers of the wire. A number from 10 to 19 that is not listed here is terminal all the same."""

    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUSPENDED = 4
    STOPPING = 5
    SUCCEEDED = 10
    FAILED = 11
    CANCELLED = 12
    TIMED_OUT = 13
    LOST = 14


class ErrorKind(IntEnum):
    """Who is to blame; numbers of the wire."""

    UNSPECIFIED = 0
    USER_CODE = 1
    USER_INPUT = 2
    RESOURCE_LIMIT = 3
    TIME_LIMIT = 4
    CANCELLED = 5
    INFRASTRUCTURE = 6
    SERVER = 7


class RetryAdvice(IntEnum):
    """What the server thinks of another attempt; numbers of the wire."""

    UNSPECIFIED = 0
    RETRY = 1
    RETRY_ELSEWHERE = 2
    NEVER = 3


@dataclass(frozen=True, slots=True)
class ServerError:
    """Why a Run failed, in the server's words: `reason` is UPPER_SNAKE."""

    kind: int = ErrorKind.UNSPECIFIED
    reason: str = ""
    message: str = ""
    retry: int = RetryAdvice.UNSPECIFIED
    exception: Raised | None = None


@dataclass(frozen=True, slots=True)
class ServerRun:
    """One snapshot of one Run, whole."""

    key: RunKey
    instance: str
    revision: int
    state: int
    reason: str = ""
    message: str = ""
    accepted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool = False
    error: ServerError | None = None
    value: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    output: Mapping[str, Channel] = field(default_factory=dict)

    @property
    def is_terminal(self) -> bool:
        """Return whether the server has nothing more to do for it."""
        return 10 <= self.state <= 19


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What the server can take now; `capacity` is its total."""

    instance: str
    accept_state: AcceptState
    capacity: Amounts = field(default_factory=dict)


class Code(StrEnum):
    """Status codes of the wire."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"
