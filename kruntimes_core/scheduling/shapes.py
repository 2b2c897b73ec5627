"""Waiting Runs that ask for the same, in order: if the first does not fit, none does. It knows no members."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run

# Order of waiting Runs: priority, then age, then arrival.
Rank = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """All that decides where a Run of one Runtime fits. A new constraint on a Run is a new field here."""

    requests: frozenset[tuple[str, int]]
    excluded: tuple[str, ...] = ()


def shape_of(run: Run, lapsed: bool = False) -> Shape:
    """Return the shape of a Run; `lapsed` exclusions no longer count."""
    return Shape(frozenset(run.requests.items()), () if lapsed else run.excluded)


@dataclass(slots=True, eq=False)
class Group:
    """The waiting Runs of one shape."""

    shape: Shape
    requests: Amounts
    parked: bool = False
    # Why the first one did not fit when the group was parked.
    reason: Reason = Reason.NO_ROOM
    # The last such reason its first Runs were told.
    told: Reason | None = None
    # The rank under which its pool has it in the order, if it has.
    offered: Rank | None = None
    # The count of its pool's wakes up to which it fits nobody; below zero: that is not known.
    blocked: int = -1
    ranks: dict[str, Rank] = field(default_factory=dict)
    _heap: list[tuple[Rank, str]] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self.ranks)

    def add(self, uid: str, rank: Rank) -> None:
        """Let a Run wait here, or at another place in the order."""
        self.ranks[uid] = rank
        heapq.heappush(self._heap, (rank, uid))
        if len(self._heap) > 64 + 4 * len(self.ranks):
            self._heap = [(rank, uid) for uid, rank in self.ranks.items()]
            heapq.heapify(self._heap)

    def discard(self, uid: str) -> None:
        """Let a Run no longer wait here."""
        self.ranks.pop(uid, None)

    def first(self) -> tuple[Rank, str] | None:
        """Return who goes first."""
        while self._heap:
            rank, uid = self._heap[0]
            if self.ranks.get(uid) == rank:
                return rank, uid
            heapq.heappop(self._heap)
        return None
