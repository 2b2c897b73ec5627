"""A Runtime and the members of its pool, as the scheduler sees them; they decide nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kruntimes_core.model.resources import Amounts


class AcceptState(StrEnum):
    """Whether a member's server takes Runs, as its daemon announces it."""

    ACCEPTING = "Accepting"
    SATURATED = "Saturated"
    DRAINING = "Draining"
    NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class Runtime:
    """One Runtime object: where Runs of its name may be sent."""

    namespace: str
    name: str
    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Member:
    """One warm Pod with its daemon, read from the daemon's Lease and that Lease's annotation."""

    namespace: str
    name: str
    runtime: str
    version: str
    pod_uid: str
    # Empty until the daemon shook hands with its server.
    instance: str = ""
    accept_state: AcceptState = AcceptState.NOT_READY
    capacity: Amounts = field(default_factory=dict)
    # Only compared with its former value: how old a lease is, each reader tells by its own clock.
    renewed: datetime | None = None
    lease_seconds: float = 15.0

    @property
    def uid(self) -> str:
        """Return what tells it from another of the same name: one Pod has one Lease."""
        return self.pod_uid
