"""Plays API, server, shell and time around one daemon's machine; it tests nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from kruntimes_core.daemon.instructions import (
    Answered,
    Collect,
    Done,
    Fill,
    Follow,
    Handshake,
    Instruction,
    OfRun,
    Outcome,
    Resync,
    Start,
)
from kruntimes_core.daemon.machine import Daemon, Seat
from kruntimes_core.daemon.server import RunState, ServerRun, ServerStatus
from kruntimes_core.daemon.settings import DEFAULTS, Settings
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState
from tests.builders import at

SEAT = Seat("default", "a", "uid-a", "bash")
# What make_run(on="a") was assigned to.
INSTANCE = "instance-a"
Told = TypeVar("Told", bound=Instruction)
Answerable = TypeVar("Answerable", bound=OfRun)


def make_snapshot(key: RunKey, state: int, revision: int = 1, **changes: Any) -> ServerRun:
    """Return what the server of member a says of one attempt."""
    return ServerRun(key, changes.pop("instance", INSTANCE), revision, state, **changes)


def make_status(instance: str = INSTANCE, accept: AcceptState = AcceptState.ACCEPTING) -> ServerStatus:
    """Return what the server says of itself."""
    return ServerStatus(instance, accept, {"runs": 4})


class PlayedDaemon:
    """One daemon of member a; what it told and nobody answered yet is `open`."""

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        self.machine = Daemon(SEAT, settings)
        self.now = at(0.0)
        self.open: list[Instruction] = []
        # These last as long as their Runs, beside everything else.
        self.follows: list[Follow] = []
        self._status: ServerStatus | None = None
        self._revision = 0
        self.decides()

    # The API.

    def sees(self, *runs: Run) -> None:
        for run in runs:
            self.machine.run_changed(run, self.now)
        self.decides()

    def misses(self, run: Run) -> None:
        self.machine.run_gone(run.uid, self.now)
        self.decides()

    def lists(self, *runs: Run) -> None:
        """Answer Resync."""
        self.open.remove(Resync())
        for run in runs:
            self.machine.run_changed(run, self.now)
        self.machine.runs_synced(self.now)
        self.decides()

    def renews(self, sent: float | None = None) -> None:
        self.machine.lease_renewed(self.now.monotonic if sent is None else sent, self.now)
        self.decides()

    # The server.

    def shakes_hands(self, status: ServerStatus | None = None) -> None:
        """Answer Handshake."""
        self.open.remove(Handshake())
        self._status = status or make_status()
        self.machine.handshaken(self._status, self.now)
        self.decides()

    def finds(self, *snapshots: ServerRun) -> None:
        """Let Watch's first part, which follows a handshake, hold these."""
        for snapshot in snapshots:
            self.machine.server_run(snapshot, self.now)
        self.machine.server_synced(self.now)
        self.decides()

    def hears(self, accept: AcceptState) -> None:
        self._status = make_status(accept=accept)
        self.machine.server_status(self._status, self.now)
        self.decides()

    def watches(self, run: Run, state: int, **changes: Any) -> ServerRun:
        """Let Watch show a newer snapshot of a Run's attempt."""
        snapshot = self.next_snapshot(run.key, state, **changes)
        self.machine.server_run(snapshot, self.now)
        self.decides()
        return snapshot

    def next_snapshot(self, key: RunKey, state: int, **changes: Any) -> ServerRun:
        self._revision += 1
        instance = self._status.instance if self._status else INSTANCE
        return make_snapshot(key, state, self._revision, **{"instance": instance} | changes)

    def loses_server(self) -> None:
        if Handshake() in self.open:
            self.open.remove(Handshake())
        self.machine.server_lost(self.now)
        self.decides()

    # Time.

    def passes(self, seconds: float) -> None:
        """Let time pass; the machine is woken when it asked to be, and at no other moment."""
        end = self.now.after(seconds)
        while (due := self.machine.wake_at()) is not None and due <= end.monotonic:
            self.now = at(due)
            self.decides()
        self.now = end
        self.decides()

    def sleeps(self, seconds: float) -> None:
        """Let the whole process stand still, as if it had been stopped."""
        self.now = self.now.after(seconds)

    # Instructions.

    def decides(self) -> None:
        """Take the instructions, and see that nothing was left that should have been given out with them."""
        for order in self.machine.decide(self.now):
            if isinstance(order, Follow):
                self.follows.append(order)
            else:
                self.open.append(order)
        assert self.machine.decide(self.now) == []
        if self._status is not None:
            self.machine.server_status(self._status, self.now)
            overlooked = self.machine.decide(self.now)
            assert overlooked == [], "only an event that changed nothing brought this"
        due = self.machine.wake_at()
        assert due is None or due > self.now.monotonic

    def told(self, kind: type[Told]) -> Told:
        """Return the only open instruction."""
        assert [type(order) for order in self.open] == [kind], self.open
        order = self.open[0]
        assert isinstance(order, kind)
        return order

    def one(self, kind: type[Told]) -> Told:
        """Return the only open instruction of a kind, whatever else is open."""
        (order,) = (order for order in self.open if isinstance(order, kind))
        return order

    def answers(self, kind: type[Answerable], outcome: Outcome) -> Answerable:
        """Answer the only open instruction of a kind."""
        order = self.one(kind)
        self.settles(order, outcome)
        return order

    def settles(self, order: OfRun, outcome: Outcome) -> None:
        """Answer this instruction, whatever else is open."""
        if isinstance(order, Follow):
            self.follows.remove(order)
        else:
            self.open.remove(order)
        self.machine.done(order, outcome, self.now)
        self.decides()

    @property
    def is_idle(self) -> bool:
        return not self.open

    def has(self, kind: type[Instruction]) -> bool:
        return any(isinstance(order, kind) for order in self.open)

    # What most tests begin with.

    def starts(self, run: Run, state: int = RunState.RUNNING) -> None:
        """Bring a Run that was just assigned into its server."""
        self.sees(run)
        self.answers(Fill, Done())
        self.answers(Start, Answered(self.next_snapshot(run.key, state)))

    def ends(self, run: Run, state: int = RunState.SUCCEEDED, **changes: Any) -> None:
        """Let a Run end in its server and all its output be collected."""
        self.watches(run, state, **changes)
        self.answers(Collect, Done())


def begin(runs: Iterable[Run] = (), server: Iterable[ServerRun] = (), **settings: Any) -> PlayedDaemon:
    """Return a daemon that has just begun: it holds its lease and has seen both sides, in that order."""
    daemon = PlayedDaemon(Settings(**settings))
    daemon.renews()
    daemon.lists(*runs)
    daemon.shakes_hands()
    daemon.finds(*server)
    return daemon
