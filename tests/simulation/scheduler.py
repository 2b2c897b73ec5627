"""A scheduler's shell in virtual time around the real board; it decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kruntimes_core.kube.mirror import Changed
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.board import Board, Watched
from tests.simulation.api import MEMBERS, RUNS, RUNTIMES, Api, Channel, Unreachable
from tests.simulation.clockwork import Driven, Loop

_PULSE = 2.5


class SchedulerProcess(Driven):
    """The one active scheduler; killed, it begins again with an empty board."""

    def __init__(self, loop: Loop, api: Api) -> None:
        super().__init__(loop, "scheduler")
        self.api = api
        self.board = Board()
        self.channels: list[Channel[Any]] = []
        self.decided: Callable[[SchedulerProcess], None] = lambda scheduler: None

    def born(self) -> None:
        super().born()
        self.board = Board()
        self.api.channels = [channel for channel in self.api.channels if channel not in self.channels]
        self.channels = [self._follow(watched) for watched in Watched]
        self.api.channels += self.channels
        for channel in self.channels:
            channel.start()
        self._pulse()

    def _follow(self, watched: Watched) -> Channel[Any]:
        kind = {Watched.RUNS: RUNS, Watched.MEMBERS: MEMBERS, Watched.RUNTIMES: RUNTIMES}[watched]
        channel: Channel[Any] = Channel(self, self.api, kind, lambda item: True)

        def whole(is_whole: bool) -> None:
            tell = self.board.watch_synced if is_whole else self.board.watch_broken
            tell(watched, self.instant())
            self.poke()

        def take(events: list[Any]) -> None:
            for event in events:
                self._take(watched, event.object, isinstance(event, Changed))
            self.poke()

        channel.on_whole, channel.on_events = whole, take
        return channel

    def _take(self, watched: Watched, item: Any, there: bool) -> None:
        now, board = self.instant(), self.board
        match watched, there:
            case Watched.RUNS, True:
                board.run_changed(item, now)
            case Watched.RUNS, False:
                board.run_gone(item.uid, now)
            case Watched.MEMBERS, True:
                board.member_changed(item, now)
            case Watched.MEMBERS, False:
                board.member_gone(item.namespace, item.name, now)
            case Watched.RUNTIMES, True:
                board.runtime_changed(item, now)
            case _:
                board.runtime_gone(item.namespace, item.name, now)

    def _pulse(self) -> None:
        def heard(result: Any) -> None:
            if not isinstance(result, Unreachable):
                self.board.api_answered(self.instant())
            self.after(_PULSE, self._pulse)

        self.api.request(self, lambda: None, heard, 5.0)

    def ask(self) -> float | None:
        for action in self.board.decide(self.instant()):
            self._carry_out(action)
        self.decided(self)
        return self.board.wake_at()

    def _carry_out(self, action: Action) -> None:
        def answered(result: Any) -> None:
            now = self.instant()
            if isinstance(result, Unreachable):
                self.board.failed(action, now)
            elif isinstance(result, Exception):
                self.board.refused(action, now)
            else:
                self.board.written(action, result, now)
            self.poke()

        run = action.run
        self.api.request(self, lambda: self.api.write_event(run.uid, run.version, action.event), answered)
