"""The rule of a map: how many items are under way, and what may be handed over when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from typing import Any, TypedDict

IN_FLIGHT = 64


@dataclass(frozen=True)
class Progress:
    """How far a map is; `total` is None when its input has no length."""

    total: int | None
    done: int
    failed: int
    in_flight: int


@dataclass(frozen=True)
class Item:
    """How one item ended: its value, or the error in its place."""

    value: Any = None
    error: Exception | None = None


class MapOptions(TypedDict, total=False):
    """How a map goes about its items, all of it optional."""

    in_flight: int
    """How many items may be begun and not handed over yet; 64 unless said."""
    as_completed: bool
    """Hand values over as they come, and not in the order of the input."""
    return_exceptions: bool
    """Hand an error over in the place of its value, and go on."""
    progress: bool | Callable[[Progress], None]
    """True draws a bar where standard error is a terminal; a function is called after each item."""


class Window:
    """The items of one map that were begun and not yet handed over, at most `in_flight` of them."""

    def __init__(self, in_flight: int, *, ordered: bool, total: int | None = None) -> None:
        self._most, self._ordered, self._total = in_flight, ordered, total
        self._begun = self._handed = self._done = self._failed = 0
        self._running: set[int] = set()
        self._ended: dict[int, Item] = {}

    @property
    def has_room(self) -> bool:
        """Whether another item may begin."""
        return len(self._running) + len(self._ended) < self._most

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was begun is still under way."""
        return not self._running

    def is_running(self, number: int) -> bool:
        """Whether an item is under way."""
        return number in self._running

    def begin(self) -> int:
        """Take the next item in; returns its number."""
        number = self._begun
        self._begun += 1
        self._running.add(number)
        return number

    def end(self, number: int, item: Item) -> None:
        """Learn how an item ended."""
        self._running.remove(number)
        self._ended[number] = item
        self._done += 1
        self._failed += item.error is not None

    def hand_over(self) -> list[Item]:
        """Return what may be handed over now, each once: in order of the input, or as it ended."""
        if not self._ordered:
            ready, self._ended = list(self._ended.values()), {}
            return ready
        ready = []
        while self._handed in self._ended:
            ready.append(self._ended.pop(self._handed))
            self._handed += 1
        return ready

    def progress(self) -> Progress:
        """Return how far it is."""
        return Progress(self._total, self._done, self._failed, len(self._running))


@dataclass(frozen=True)
class Plan:
    """One map as it was asked for."""

    items: Iterable[Any]
    in_flight: int
    ordered: bool
    return_exceptions: bool
    report: Callable[[Progress], None] | None

    def window(self) -> Window:
        """Return the window this map begins with."""
        total = len(self.items) if isinstance(self.items, Sized) else None
        return Window(self.in_flight, ordered=self.ordered, total=total)

    def tell(self, window: Window) -> None:
        """Report how far it is."""
        if self.report is not None:
            self.report(window.progress())

    def value_of(self, item: Item) -> Any:
        """Return what the caller gets for an item; raises its error unless that is what he gets."""
        if item.error is not None and not self.return_exceptions:
            raise item.error
        return item.error or item.value


def plan(items: Iterable[Any], options: MapOptions, bar: Callable[[Progress], None] | None) -> Plan:
    """Return the plan for a map; `bar` draws progress where that was asked for. Raises for what cannot be."""
    if unknown := sorted(set(options) - set(MapOptions.__annotations__)):
        known = ", ".join(sorted(MapOptions.__annotations__))
        raise TypeError(f"map has no option {unknown[0]!r}; it has {known}")
    in_flight = options.get("in_flight", IN_FLIGHT)
    if in_flight < 1:
        raise ValueError(f"in_flight must be at least 1, not {in_flight}: nothing could ever run")
    if not isinstance(items, Iterable):
        raise TypeError(
            f"map takes something to iterate over, and {type(items).__name__} is not; for one call: remote"
        )
    wanted = options.get("progress", False)
    report = wanted if callable(wanted) else bar if wanted else None
    exceptions = options.get("return_exceptions", False)
    return Plan(items, in_flight, not options.get("as_completed", False), exceptions, report)
