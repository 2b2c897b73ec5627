"""A daemon's shell in virtual time around the real machine; it decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kruntimes_core.daemon import instructions as told
from kruntimes_core.daemon.machine import Announcement, Daemon, Seat
from kruntimes_core.daemon.server import ServerRun, ServerStatus
from kruntimes_core.kube.mirror import Changed
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member
from tests.simulation.api import MEMBERS, RUNS, Api, Channel, Conflict, Missing, Unreachable
from tests.simulation.clockwork import Driven, Loop
from tests.simulation.server import Forgotten, ServerProcess

_RENEWAL = 5.0
_PING = 2.0


class DaemonProcess(Driven):
    """The daemon of one member; killed, it begins again knowing nothing."""

    def __init__(self, loop: Loop, api: Api, server: ServerProcess, seat: Seat) -> None:
        super().__init__(loop, seat.pod)
        self.api, self.server, self.seat = api, server, seat
        self.machine = Daemon(seat)
        self.channel: Channel[Run] | None = None
        self._announced: Announcement | None = None
        self._asked_for: Announcement | None = None
        self._renewal = 0
        self._stream = 0
        self._renewing = False
        self._listing = False

    def born(self) -> None:
        super().born()
        self.machine = Daemon(self.seat)
        self._announced = self._asked_for = None
        self._stream += 1
        self._renewing = False
        if self.channel is not None:
            self.api.channels.remove(self.channel)
        self.channel = Channel(self, self.api, RUNS, self._selects)
        self.channel.on_events = self._take
        self.channel.on_whole = self._whole
        self.api.channels.append(self.channel)
        self._listing = False
        self._renew()
        self._ping()
        self.poke()

    def _selects(self, run: Run) -> bool:
        return run.assignment is not None and run.assignment.pod == self.seat.pod

    # The API.

    def _take(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Changed):
                self.machine.run_changed(event.object, self.instant())
            else:
                self.machine.run_gone(event.object.uid, self.instant())
        self.poke()

    def _whole(self, is_whole: bool) -> None:
        if is_whole and self._listing:
            self._listing = False
            self.machine.runs_synced(self.instant())
        self.poke()

    def _renew(self) -> None:
        """Renew the lease; what is announced goes along when it is news."""
        if self._renewing:
            return
        self._renewing, sent_at = True, self.loop.now
        self._renewal += 1
        said = self._asked_for = self.machine.announcement
        wall = self.instant().wall

        def work() -> None:
            seat = self.seat
            known = self.api.store[MEMBERS].get(seat.pod)
            if said == self._announced and isinstance(known, Member):
                self.api.commit(MEMBERS, seat.pod, replace(known, renewed=wall))
                return
            fresh = Member(
                namespace=seat.namespace,
                name=seat.pod,
                runtime=seat.runtime,
                version="",
                pod_uid=seat.pod_uid,
                instance=said.instance,
                accept_state=said.accept_state,
                capacity=said.capacity,
                renewed=wall,
            )
            self.api.commit(MEMBERS, seat.pod, fresh)

        def answered(result: Any) -> None:
            self._renewing = False
            if isinstance(result, Exception):
                self._announced = None
                self._renew_in(self.loop.rng.uniform(0.1, 1.2))
                return
            self._announced = said
            self.machine.lease_renewed(sent_at, self.instant())
            self._renew_in(sent_at + _RENEWAL - self.loop.now)
            self.poke()

        self.api.request(self, work, answered, _RENEWAL)

    def _renew_in(self, seconds: float) -> None:
        number = self._renewal

        def renew() -> None:
            if number == self._renewal:
                self._renew()

        self.after(seconds, renew)

    # The server.

    def _ping(self) -> None:
        self.server.call(self, told.Done, lambda outcome: None)
        self.after(_PING, self._ping)

    def hear(self, event: object, stream: int) -> None:
        """Take an event of Watch; it may come from a stream of before."""

        def take() -> None:
            if stream == self._stream:
                self._hear(event)
                self.poke()

        self.callback(take)()

    def _hear(self, event: object) -> None:
        now = self.instant()
        match event:
            case ServerStatus():
                self.machine.server_status(event, now)
            case ServerRun():
                self.machine.server_run(event, now)
            case Forgotten(key):
                self.machine.server_forgot(key, now)
            case "synced":
                self.machine.server_synced(now)
            case _:
                self.lose_server()

    def lose_server(self) -> None:
        self._stream += 1
        self.machine.server_lost(self.instant())
        self.poke()

    def _shake(self) -> None:
        self._stream += 1
        stream = self._stream

        def work() -> told.Outcome:
            status = self.server.status()
            self.after(0.001, lambda: shaken(status))
            return told.Done()

        def shaken(status: ServerStatus) -> None:
            if stream == self._stream:
                self.machine.handshaken(status, self.instant())
                self.server.watch(self, stream)
                self.poke()

        def answered(outcome: told.Outcome) -> None:
            if not isinstance(outcome, told.Done) and stream == self._stream:
                self.lose_server()

        self.server.call(self, work, answered)

    # Instructions.

    def ask(self) -> float | None:
        for instruction in self.machine.decide(self.instant()):
            self._carry_out(instruction)
        if self.machine.announcement != self._asked_for:
            self._renew()
        return self.machine.wake_at()

    def _carry_out(self, order: told.Instruction) -> None:
        server = self.server
        match order:
            case told.Handshake():
                self._shake()
            case told.Resync():
                self._listing = True
                if self.channel is not None:
                    self.channel.restart()
            case told.Write():
                self._write(order)
            case told.Fill() | told.Clear() | told.Collect():
                slow = self.loop.rng.random() < 0.01
                pause = self.loop.rng.uniform(5.0, 15.0) if slow else self.loop.rng.uniform(0.001, 0.01)
                self.after(pause, lambda: self._done(order, told.Done()))
            case told.Start():
                if self.loop.now >= order.not_after:
                    self.after(0.0, lambda: self._done(order, told.TooLate()))
                else:
                    self._call(order, lambda: server.start(order.run, order.instance))
            case told.Cancel():
                self._call(order, lambda: server.cancel(order.key, order.grace, order.reason))
            case told.Forget():
                self._call(order, lambda: server.forget(order.key, order.stop))
            case told.Follow():
                server.follow(self, order.key, lambda outcome: self._done(order, outcome))
            case told.Look():
                self._call(order, lambda: server.look(order.key))

    def _call(self, order: told.OfRun, work: Any) -> None:
        self.server.call(self, work, lambda outcome: self._done(order, outcome))

    def _done(self, order: told.OfRun, outcome: told.Outcome) -> None:
        self.machine.done(order, outcome, self.instant())
        self.poke()

    def _write(self, order: told.Write) -> None:
        def answered(result: Any) -> None:
            match result:
                case Unreachable():
                    self._done(order, told.Unwritten(str(result)))
                case Conflict() | Missing():
                    self._done(order, told.Superseded())
                case _:
                    self._done(order, told.Written(result))

        self.api.request(self, lambda: self.api.write_fenced(order.run, order.event), answered)
