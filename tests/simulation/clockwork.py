"""Virtual time, and processes that live in it: they stop, pause and come back; nothing here knows Runs."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from kruntimes_core.model.instant import Instant
from tests.builders import EPOCH

Act = Callable[[], None]


class Loop:
    """Acts in the order of their times; equal times in the order of their making."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Act]] = []
        self._serial = 0

    def after(self, delay: float, act: Act) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (self.now + max(delay, 0.0), self._serial, act))

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Go on until then, or until it is done."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, act = heapq.heappop(self._heap)
            self.steps += 1
            act()
            if self.steps % 256 == 0 and done():
                return
        self.now = max(self.now, until)


class Process:
    """Something with a beginning and an end. While it is paused, what reaches it waits."""

    def __init__(self, loop: Loop, name: str) -> None:
        self.loop = loop
        self.name = name
        self.alive = False
        self.paused = False
        self.life = 0
        self.wall_offset = 0.0
        self._inbox: list[tuple[int, Act]] = []

    def instant(self) -> Instant:
        """Return what its clocks show: the monotonic one goes on while it is paused, the wall may err."""
        return Instant(Instant(EPOCH, 0.0).after(self.loop.now + self.wall_offset).wall, self.loop.now)

    def begin(self) -> None:
        if not self.alive:
            self.alive = True
            self.life += 1
            self._inbox.clear()
            self.born()

    def born(self) -> None:
        """Start anew, knowing nothing."""

    def kill(self) -> None:
        self.alive = self.paused = False
        self.life += 1

    def pause(self) -> None:
        self.paused = self.alive

    def resume(self) -> None:
        if not self.paused:
            return
        self.paused = False
        inbox, self._inbox = self._inbox, []
        for life, act in inbox:
            self.loop.after(0.0, self._in_life(life, act))

    def after(self, delay: float, act: Act) -> None:
        """Act later, in this life only."""
        self.loop.after(delay, self._in_life(self.life, act))

    def callback(self, act: Act) -> Act:
        """Return the act for others to call: it does nothing after this life, and waits while paused."""
        return self._in_life(self.life, act)

    def _in_life(self, life: int, act: Act) -> Act:
        def in_life() -> None:
            if life != self.life or not self.alive:
                return
            if self.paused:
                self._inbox.append((life, act))
            else:
                act()

        return in_life


class Driven(Process):
    """A process that drives one machine: it asks after each input, and when the machine wants to be asked."""

    def __init__(self, loop: Loop, name: str) -> None:
        super().__init__(loop, name)
        self._asked = False
        self._alarm = float("inf")

    def born(self) -> None:
        self._asked = False
        self._alarm = float("inf")

    def poke(self) -> None:
        """Ask the machine soon."""
        if not self._asked:
            self._asked = True
            self.after(self.loop.rng.uniform(0.0001, 0.002), self._ask)

    def _ask(self) -> None:
        self._asked = False
        wake_at = self.ask()
        if wake_at is None:
            return
        if wake_at <= self.loop.now:
            self.poke()
        elif wake_at < self._alarm or self._alarm <= self.loop.now:
            self._alarm = wake_at
            self.after(wake_at - self.loop.now, self.poke)

    def ask(self) -> float | None:
        """Let the machine decide, carry it out, and return when it wants to be asked again."""
        raise NotImplementedError
