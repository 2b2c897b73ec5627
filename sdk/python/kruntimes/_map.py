"""A map over threads: carries out what the window of a map allows; the rule is the window's."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kruntimes._errors import KruntimesError, Unreachable
from kruntimes._window import Item, Plan, Window

if TYPE_CHECKING:
    from kruntimes._client import Handle

# As many as the transport keeps connections for: more would begin each Run with a handshake.
CREATORS = 8
Begin = Callable[[Any], "Handle"]
Finish = Callable[["Handle"], Any]


@dataclass
class ThreadedMap:
    """One map under way."""

    plan: Plan
    begin: Begin
    """Makes the Run of one item; called by several threads."""
    finish: Finish
    """Gives the value of a Run that has ended, or raises."""

    def __post_init__(self) -> None:
        self._window: Window = self.plan.window()
        self._news: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._handles: dict[int, Handle] = {}
        self._refused: dict[int, Exception] = {}

    def values(self) -> Iterator[Any]:
        """Give the values; leaving early, by whatever way, cancels what is under way."""
        with ThreadPoolExecutor(CREATORS, thread_name_prefix="kruntimes-map") as creators:
            try:
                yield from self._values(creators)
            finally:
                self._cancel(creators)

    def _values(self, creators: ThreadPoolExecutor) -> Iterator[Any]:
        items, more = iter(self.plan.items), True
        while more or not self._window.is_idle:
            while more and self._window.has_room:
                try:
                    item = next(items)
                except StopIteration:
                    more = False
                else:
                    creators.submit(self._create, self._window.begin(), item)
            if not self._window.is_idle:
                self._learn(self._news.get())
            for outcome in self._window.hand_over():
                yield self.plan.value_of(outcome)

    def _create(self, number: int, item: Any) -> None:
        try:
            handle = self._handles[number] = self.begin(item)
        except Exception as error:  # told to whoever asks for the value
            self._refused[number] = error
            self._news.put(number)
        else:
            handle.when_settled(lambda: self._news.put(number))

    def _learn(self, number: int) -> None:
        if not self._window.is_running(number):
            return  # a settled Run may be told twice
        self._window.end(number, self._outcome(number))
        self.plan.tell(self._window)

    def _outcome(self, number: int) -> Item:
        error = self._refused.pop(number, None)
        if error is not None:
            return Item(error=error)
        try:
            return Item(self.finish(self._handles.pop(number)))
        except KruntimesError as failure:
            return Item(error=failure)

    def _cancel(self, creators: ThreadPoolExecutor) -> None:
        """End what is under way; an API server that is gone is not asked again and again."""
        creators.shutdown(wait=True, cancel_futures=True)
        with ThreadPoolExecutor(CREATORS) as cancellers:
            left = [cancellers.submit(handle.cancel) for handle in self._handles.values()]
            for asked in left:
                with contextlib.suppress(KruntimesError):
                    if isinstance(asked.exception(), Unreachable):
                        cancellers.shutdown(wait=False, cancel_futures=True)
                        return
