"""What the SDK hands to its users: Runs and their results as plain values; asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypedDict


class RunOptions(TypedDict, total=False):
    """What a Run can be given, all of it optional; times are in seconds or texts such as "1m30s"."""

    namespace: str
    name: str
    """Names the Run; made up when absent."""
    source: str
    """Text of the program."""
    source_path: str
    """File of the workspace that receives the source."""
    entrypoint: str
    args: list[str]
    files: Mapping[str, str | bytes]
    """Files for the workspace, content by relative path."""
    env: Mapping[str, str]
    stdin: str
    cpu: str | float
    """Reserved and at most used, as are `memory` and `resources`; e.g. 0.5 or "500m"."""
    memory: str | int
    resources: Mapping[str, str | float]
    timeout: str | float
    queue_timeout: str | float
    grace: int
    max_attempts: int
    """How often a failing program is tried; 1 unless said."""
    backoff: str | float
    retryable_reasons: list[str]
    priority: int
    parameters: Mapping[str, Any]
    ttl: int
    """Seconds after its end when the Run is deleted."""
    labels: Mapping[str, str]


class TaskOptions(TypedDict, total=False):
    """What a task can be given, all of it optional; as for a Run, but for `retries`."""

    namespace: str
    env: Mapping[str, str]
    cpu: str | float
    memory: str | int
    resources: Mapping[str, str | float]
    timeout: str | float
    queue_timeout: str | float
    grace: int
    retries: int
    """How often the task is tried again after it failed; 0 unless said, at most 9."""
    backoff: str | float
    retryable_reasons: list[str]
    priority: int
    parameters: Mapping[str, Any]
    ttl: int
    labels: Mapping[str, str]


class Reference(TypedDict):
    """What a Run is found again by, also by another process: `client.get(**reference)`. Plain texts."""

    name: str
    namespace: str
    uid: str


class Output(bytes):
    """What is kept of one output channel; `size` counts what was written, `truncated` says if it is more."""

    size: int
    truncated: bool

    def __new__(cls, data: bytes = b"", size: int | None = None, truncated: bool = False) -> Output:
        """Make the value; `size` is that of `data` unless said."""
        output = super().__new__(cls, data)
        output.size = len(data) if size is None else size
        output.truncated = truncated
        return output

    @property
    def text(self) -> str:
        """The output as text; what is not UTF-8 is shown as the replacement character."""
        return self.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Timings:
    """The receipt of a Run: when each step of its way was done, as far as it came."""

    queued: datetime | None = None
    assigned: datetime | None = None
    delivered: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    stored: datetime | None = None

    @property
    def total(self) -> timedelta | None:
        """From the first moment to the last one, None unless both are known."""
        last = self.stored or self.ended
        return last - self.queued if last and self.queued else None


@dataclass(frozen=True)
class Raised:
    """The exception that ended a program, in words of the program's language."""

    type: str
    message: str
    trace: str


@dataclass(frozen=True)
class Result:
    """How a Run ended."""

    name: str
    phase: str
    exit_code: int | None
    signal: int | None
    stdout: Output
    stderr: Output
    outputs: Mapping[str, str]
    timings: Timings
    attempt: int
    reason: str
    message: str
    value_json: str | None = None
    """The program's value as it left it, JSON text; None when it left none."""
    exception: Raised | None = None

    @property
    def value(self) -> Any:
        """The program's value; None when it left none, or left `null`: `has_value` tells."""
        return None if self.value_json is None else json.loads(self.value_json)

    @property
    def has_value(self) -> bool:
        """Whether the program left a value."""
        return self.value_json is not None

    @property
    def succeeded(self) -> bool:
        """Whether the program did what it should."""
        return self.phase == "Succeeded"


@dataclass(frozen=True)
class Run:
    """A Run as it was when it was read; `result` is there once it has ended."""

    name: str
    namespace: str
    uid: str
    runtime: str
    phase: str
    attempt: int
    pod: str
    reason: str
    message: str
    created: datetime | None
    result: Result | None
    object: Mapping[str, Any] = field(repr=False, compare=False)
    """The whole object, as the API server gave it."""
