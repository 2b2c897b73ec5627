"""An immutable view of everything a cycle looks at; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member, Runtime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects as they were at one moment; every lease counts as just renewed."""

    runs: tuple[Run, ...] = ()
    members: tuple[Member, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
