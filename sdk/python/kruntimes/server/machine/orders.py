"""What the book tells the shell, and what it is told to hold to. Pure; carries nothing out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

from kruntimes.server.author import RunKey
from kruntimes.server.bounds import RETENTION_SECONDS, TOMBSTONE_SECONDS, TOMBSTONES


class Accepts(IntEnum):
    """Whether Runs are taken; the numbers of kruntimes.runtime.v1.AcceptState."""

    ACCEPTING = 1
    SATURATED = 2
    DRAINING = 3


class Act(Enum):
    """What the shell is to do."""

    CHANGED = "tell the watchers"
    STOP = "stop the execution politely"
    KILL = "stop the execution hard"
    FORGOTTEN = "drop output and tell the watchers"


class Order(NamedTuple):
    """One instruction to the shell; orders are carried out in the order given."""

    act: Act
    key: RunKey


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for all Runs of one server. Amounts in base units, times in seconds.

    `max_outstanding` bounds Runs that are not terminal, zero means no bound; `max_kept` those that are.
    """

    instance: str
    capacity: Mapping[str, int]
    max_outstanding: int = 0
    max_kept: int = 4096
    retention: float = RETENTION_SECONDS
    tombstone_ttl: float = TOMBSTONE_SECONDS
    max_tombstones: int = TOMBSTONES
