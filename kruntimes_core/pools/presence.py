"""Which members of each pool give signs of life; it asks nobody and declares no Run lost. Pure."""

from __future__ import annotations

from kruntimes_core.model.runtime import Member
from kruntimes_core.model.timers import Timers

PoolKey = tuple[str, str]
MemberKey = tuple[str, str]


class Presence:
    """Leases age by the reader's own clock, from when it saw their last renewal."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._members: dict[PoolKey, dict[str, Member]] = {}
        self._ends: Timers[MemberKey] = Timers()
        self._pool_of: dict[MemberKey, PoolKey] = {}

    def show(self, member: Member, now: float) -> bool:
        """Take a version of a lease; return whether anything but its time changed."""
        pool, key = (member.namespace, member.runtime), (member.namespace, member.name)
        former = self._pool_of.get(key)
        if former is not None and former != pool:
            self.drop(member.namespace, member.name)
        known = self._members.setdefault(pool, {}).get(member.name)
        self._members[pool][member.name] = member
        self._pool_of[key] = pool
        was_alive = key in self._ends
        if known is None or known.renewed != member.renewed:
            self._ends.set(key, now + member.lease_seconds)
        same = known is not None and _offer(known) == _offer(member)
        return not same or was_alive != (key in self._ends)

    def drop(self, namespace: str, name: str) -> None:
        """Forget a member whose lease is gone."""
        pool = self._pool_of.pop((namespace, name), None)
        if pool is not None:
            self._ends.clear((namespace, name))
            del self._members[pool][name]
            if not self._members[pool]:
                del self._members[pool]

    def restart(self, now: float) -> None:
        """Let every age start anew: for a while no renewal could have been seen."""
        for members in self._members.values():
            for member in members.values():
                self._ends.set((member.namespace, member.name), now + member.lease_seconds)

    def of(self, pool: PoolKey) -> list[Member]:
        """Return the members of a pool whose lease is not over."""
        members = self._members.get(pool) or {}
        return [member for member in members.values() if (member.namespace, member.name) in self._ends]

    def knows(self, member: Member) -> bool:
        """Return whether this very member gave signs of life, and its lease is not over."""
        known = self._members.get((member.namespace, member.runtime), {}).get(member.name)
        alive = (member.namespace, member.name) in self._ends
        return alive and known is not None and known.pod_uid == member.pod_uid

    def end(self, now: float) -> list[Member]:
        """Take note of the leases that are over by now; return whose they are."""
        return [self._members[self._pool_of[key]][key[1]] for key, _ in self._ends.pop_due(now)]

    def next_end(self) -> float | None:
        """Return when the next lease is over unless it is renewed."""
        return self._ends.next()


def _offer(member: Member) -> tuple[object, ...]:
    return (member.pod_uid, member.instance, member.accept_state, member.capacity)
