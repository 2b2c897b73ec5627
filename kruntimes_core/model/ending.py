"""How a Run ended, as it is kept in its status; it decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Channel:
    """What became of one output channel."""

    size: int = 0
    truncated: bool = False
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Raised:
    """The exception that ended a program, in its own language; what it said is the Ending's message."""

    type: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a Run; what was not measured or never happened is None."""

    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    # The program's value as JSON text.
    result: str | None = None
    exception: Raised | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    output: Mapping[str, Channel] = field(default_factory=dict)
    delivered: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
