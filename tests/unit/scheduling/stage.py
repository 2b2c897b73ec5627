"""A board, a clock and a store for tests: carries out what the board decides; it asserts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kruntimes_core.model.events import Event
from kruntimes_core.model.run import Run, apply
from kruntimes_core.model.runtime import Member, Runtime
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.board import Board, Watched
from kruntimes_core.scheduling.settings import DEFAULTS, Settings
from tests.builders import at, make_runtime

RENEW_EVERY = 5.0


class Stage:
    """Begins with Runtime bash and all watches whole, one second after the Runs were made.

    Members named in `alive` renew their leases while time passes.
    """

    def __init__(self, *objects: Run | Member | Runtime, settings: Settings = DEFAULTS) -> None:
        self.board = Board(settings)
        self.now = at(1.0)
        self.runs: dict[str, Run] = {}
        self.members: dict[str, Member] = {}
        self.alive: set[str] = set()
        self._version = 10
        self.show(make_runtime(), *objects)
        for watched in Watched:
            self.board.watch_synced(watched, self.now)

    def show(self, *objects: Run | Member | Runtime) -> None:
        """Let the watches deliver objects, each as a newer version than any before."""
        for shown in objects:
            self._version += 1
            version = str(self._version)
            match shown:
                case Run():
                    self.runs[shown.name] = replace(shown, version=version)
                    self.board.run_changed(self.runs[shown.name], self.now)
                case Member():
                    self.members[shown.name] = replace(shown, version=version, renewed=self.now.wall)
                    self.board.member_changed(self.members[shown.name], self.now)
                case Runtime():
                    self.board.runtime_changed(replace(shown, version=version), self.now)

    def change(self, name: str, **changes: Any) -> None:
        """Let somebody else change a Run."""
        self.show(replace(self.runs[name], **changes))

    def happens(self, name: str, event: Event) -> None:
        """Let the daemon write an event into a Run."""
        self.show(apply(self.runs[name], event))

    def offers(self, name: str, **changes: Any) -> None:
        """Let a member change what it announces."""
        self.show(replace(self.members[name], **changes))

    def goes(self, name: str) -> None:
        """Delete a Run."""
        self.board.run_gone(self.runs.pop(name).uid, self.now)

    def leaves(self, name: str) -> None:
        """Delete a member's lease."""
        member = self.members.pop(name)
        self.board.member_gone(member.namespace, member.name, self.now)

    def decide(self) -> list[Action]:
        """Ask the board now."""
        return self.board.decide(self.now)

    def land(self, action: Action) -> None:
        """Write an action, answer it, and let the watch deliver it."""
        after = apply(self.runs[action.run.name], action.event)
        self.board.written(action, str(self._version + 1), self.now)
        self.show(after)

    def settle(self) -> list[Action]:
        """Ask and write until there is nothing more to do at this moment."""
        done: list[Action] = []
        while actions := self.decide():
            for action in actions:
                self.land(action)
            done += actions
        return done

    def skip(self, seconds: float) -> None:
        """Let time pass while this scheduler stands still."""
        self.now = at(self.now.monotonic + seconds)

    def elapse(self, seconds: float) -> list[tuple[float, Action]]:
        """Let time pass as it does for a scheduler: it is called whenever the board wants to be.

        Returns what was decided and written, each with the seconds since the beginning of this.
        """
        start = self.now.monotonic
        end, renewal = start + seconds, start + RENEW_EVERY
        done: list[tuple[float, Action]] = []
        while True:
            done += [(self.now.monotonic - start, action) for action in self.settle()]
            wake = self.board.wake_at()
            due = min(renewal, end if wake is None else max(wake, self.now.monotonic))
            if due >= end:
                self.now = at(end)
                return done + [(seconds, action) for action in self.settle()]
            self.now = at(due)
            if due == renewal:
                renewal += RENEW_EVERY
                self.show(*(self.members[name] for name in sorted(self.alive)))

    def placed(self) -> dict[str, str]:
        """Which Run is at which member, as the store has it."""
        places = ((run.name, run.assignment) for run in self.runs.values() if not run.is_terminal)
        return {name: assignment.pod for name, assignment in places if assignment is not None}


def told(actions: list[Action]) -> list[str]:
    """What was decided, in words: Assign r, Hold s."""
    return [f"{type(action).__name__} {action.run.name}" for action in actions]
