"""What each member has, and what is taken of it; it chooses nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.scheduling.scores import freeness

# Namespace, Pod name, Pod UID: a Pod of the same name is another member.
AccountKey = tuple[str, str, str]

_TAKES_RUNS = frozenset({AcceptState.ACCEPTING, AcceptState.SATURATED})


@dataclass(slots=True, eq=False)
class Account:
    """One member. Without a lease it is only a place where assigned Runs are counted."""

    key: AccountKey
    # Monotonic time of the last sign of life that this scheduler saw.
    seen: float
    lease_seconds: float
    member: Member | None = None
    lost: bool = False
    charges: dict[str, Amounts] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    freeness: float = 0.0
    # Its pool's count of wakes when it last got room.
    freed: int = 0

    @property
    def capacity(self) -> Amounts:
        """Return all there is."""
        return self.member.capacity if self.member else {}

    @property
    def is_ready(self) -> bool:
        """Return whether it may be given Runs."""
        member = self.member
        return (
            member is not None
            and not self.lost
            and member.instance != ""
            and member.accept_state in _TAKES_RUNS
        )

    def show(self, member: Member | None, seen: float) -> None:
        """Take what the lease says now, or that there is none any more."""
        self.member = member
        self.seen = seen
        if member is not None:
            self.lease_seconds = member.lease_seconds
        self.recount()

    def charge(self, uid: str, amounts: Amounts) -> None:
        """Take room for a Run."""
        self.charges[uid] = amounts
        for name, amount in amounts.items():
            self.free[name] = self.free.get(name, 0) - amount
        self.freeness = freeness(self.free, self.capacity)

    def release(self, uid: str) -> bool:
        """Give a Run's room back; return whether it held any."""
        amounts = self.charges.pop(uid, None)
        if amounts is None:
            return False
        for name, amount in amounts.items():
            self.free[name] = self.free.get(name, 0) + amount
        self.freeness = freeness(self.free, self.capacity)
        return True

    def recount(self) -> None:
        """Work out anew what is free from capacity and charges."""
        free = dict(self.capacity)
        for amounts in self.charges.values():
            for name, amount in amounts.items():
                free[name] = free.get(name, 0) - amount
        self.free = free
        self.freeness = freeness(free, self.capacity)
