"""What one check found; it probes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much it matters."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of `krt doctor`: what was looked at, what was seen, and what to do unless all is well."""

    level: Level
    about: str
    seen: str
    do: str = ""
