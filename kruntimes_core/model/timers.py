"""Which keys are due when, by monotonic seconds; it waits for nothing itself."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """One time for each key; setting a key again moves it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._when: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def __contains__(self, key: K) -> bool:
        """Return whether the key has a time."""
        return key in self._when

    def set(self, key: K, when: float) -> None:
        """Let the key be due then."""
        if self._when.get(key) == when:
            return
        self._when[key] = when
        self._serial += 1
        heapq.heappush(self._heap, (when, self._serial, key))
        if len(self._heap) > 64 + 4 * len(self._when):
            self._compact()

    def clear(self, key: K) -> None:
        """Let the key not be due."""
        self._when.pop(key, None)

    def next(self) -> float | None:
        """Return the earliest time of any key."""
        while self._heap:
            when, _, key = self._heap[0]
            if self._when.get(key) == when:
                return when
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: float) -> Iterator[tuple[K, float]]:
        """Yield and clear the keys whose time has come, earliest first, each with its time."""
        while (when := self.next()) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._when[key]
            yield key, when

    def _compact(self) -> None:
        """Drop entries that were moved or cleared, so that the heap stays in proportion."""
        self._heap = [entry for entry in self._heap if self._when.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
