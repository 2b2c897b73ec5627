"""How long a decision of the scheduler takes in memory: `python -m tests.perf.decisions`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kruntimes_core.model.run import Phase, Run, apply
from kruntimes_core.scheduling.board import Board, Watched
from tests.builders import at, make_member, make_run, make_runtime

_MEMBERS = 100
_SLOTS = 8
_CAPACITY = {"runs": _SLOTS, "cpu": 8000, "memory": 16 << 30}
_NOW = at(0.5)


@dataclass
class Load:
    """A full pool: whenever a Run ends, another comes, and as many wait as waited before."""

    waiting: int
    shapes: int
    version: int = 1_000_000
    made: int = 0
    spent: float = 0.0

    def measure(self, decisions: int) -> float:
        """Return the microseconds of one decision, with all that its events cost."""
        board = self._board()
        running: deque[Run] = deque()
        decided = 0
        while decided < decisions:
            with self._timed():
                actions = board.decide(_NOW)
            for action in actions:
                run = self._newer(apply(action.run, action.event))
                with self._timed():
                    board.written(action, run.version, _NOW)
                    board.run_changed(run, _NOW)
                running.append(run)
            decided += len(actions)
            while running and (not actions or len(running) > _MEMBERS * _SLOTS - 64):
                ended = self._newer(replace(running.popleft(), phase=Phase.SUCCEEDED))
                coming = self._make()
                with self._timed():
                    board.run_changed(ended, _NOW)
                    board.run_gone(ended.uid, _NOW)
                    board.run_changed(coming, _NOW)
                if not actions:
                    break
        return self.spent / decided * 1e6

    def _board(self) -> Board:
        board = Board()
        board.runtime_changed(make_runtime(), _NOW)
        for number in range(_MEMBERS):
            board.member_changed(make_member(f"m{number}", capacity=_CAPACITY, version=str(number + 1)), _NOW)
        for _ in range(self.waiting):
            board.run_changed(self._make(), _NOW)
        for watched in Watched:
            board.watch_synced(watched, _NOW)
        return board

    def _make(self) -> Run:
        self.made += 1
        return make_run(f"r{self.made}", needs={"cpu": 1000 + self.made % self.shapes, "memory": 1 << 30})

    def _newer(self, run: Run) -> Run:
        self.version += 1
        return replace(run, version=str(self.version))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent += time.perf_counter() - began


def main() -> None:
    for waiting, shapes in ((100, 1), (10_000, 1), (100, 10), (10_000, 10)):
        each = Load(waiting, shapes).measure(10_000)
        print(
            f"{_MEMBERS} members, 3 resources, {waiting:>6} waiting, {shapes:>2} shapes: "
            f"{each:6.1f} us a decision, {1e6 / each:7.0f} in a second"
        )


if __name__ == "__main__":
    main()
