"""When each Run is to be looked at again. Pure."""

import heapq

from kruntimes.server.author import RunKey


class Deadlines:
    """At most one deadline per key, the newest; memory stays near the number of keys."""

    def __init__(self) -> None:
        self._due: dict[RunKey, float] = {}
        self._heap: list[tuple[float, RunKey]] = []

    def set(self, key: RunKey, when: float | None) -> None:
        """Look at `key` at `when`; None means never."""
        if when is None:
            self._due.pop(key, None)
            return
        if self._due.get(key) == when:
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(when, key) for key, when in self._due.items()]
            heapq.heapify(self._heap)

    def next(self) -> float | None:
        """The earliest deadline; None when there is none."""
        while self._heap:
            when, key = self._heap[0]
            if self._due.get(key) == when:
                return when
            heapq.heappop(self._heap)
        return None

    def pop(self, now: float) -> list[RunKey]:
        """Take the keys that are due, earliest first."""
        due: list[RunKey] = []
        while (when := self.next()) is not None and when <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            due.append(key)
        return due
