"""A model API server: versions, conditional writes, watches that lag and break; it knows no rules of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from kruntimes_core.kube.mirror import Changed, Gone, Mirror
from kruntimes_core.model.events import Event
from kruntimes_core.model.run import Run, TransitionRefused, apply
from kruntimes_core.model.runtime import Member, Runtime
from tests.simulation.clockwork import Loop, Process

Stored = Run | Member | Runtime
T = TypeVar("T", bound=Stored)
Committed = Callable[[Stored | None, Stored | None, Event | None], None]


class Conflict(Exception):
    """The object has another version, or moved on."""


class Missing(Exception):
    """There is no such object."""


class Unreachable(Exception):
    """No answer came, or one that says nothing of the request."""


Reply = Callable[[Any], None]
RUNS, MEMBERS, RUNTIMES = "runs", "members", "runtimes"
_TIMEOUT = 10.0


class Api:
    """The store, the way to it, and the watches on it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.version = 100
        self.store: dict[str, dict[str, Stored]] = {RUNS: {}, MEMBERS: {}, RUNTIMES: {}}
        self.down = False
        self.paused = False
        self.cut: set[str] = set()
        self.flaky = 0.0
        self.committed: list[Committed] = []
        self.channels: list[Channel[Any]] = []
        self._waiting: list[Callable[[], None]] = []

    # Faults.

    def stop(self) -> None:
        """Go down: what is under way is lost, and watches break."""
        self.down = True
        for channel in list(self.channels):
            channel.break_off(self.loop.rng.random() < 0.5)

    def start(self) -> None:
        self.down = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for number, act in enumerate(waiting):
            self.loop.after(0.001 * (1 + number), act)
        for channel in self.channels:
            channel.flush()

    # Requests.

    def request(
        self, client: Process, work: Callable[[], Any], reply: Reply, timeout: float = _TIMEOUT
    ) -> None:
        """Do some work at the server; the reply is its result or one of our exceptions, exactly once."""
        answered = False

        def answer(result: Any) -> None:
            nonlocal answered
            if not answered:
                answered = True
                reply(result)

        rng = self.loop.rng
        life = client.life
        fate = rng.random()
        client.after(timeout, lambda: answer(Unreachable("time out")))

        def arrive() -> None:
            if self.paused:
                self._waiting.append(arrive)
                return
            if self.down or client.name in self.cut:
                client.after(rng.uniform(0.001, 0.2), lambda: answer(Unreachable("refused")))
                return
            if fate < self.flaky / 3 or (life != client.life and rng.random() < 0.5):
                return  # lost on its way
            if fate < self.flaky / 2:
                client.after(0.005, lambda: answer(Unreachable("503")))
                return
            try:
                result = work()
            except (Conflict, Missing) as error:
                result = error
            if fate < self.flaky or life != client.life:
                return  # done, but nobody hears of it
            client.after(rng.uniform(0.001, 0.01), lambda: answer(result))

        self.loop.after(rng.uniform(0.001, 0.01), arrive)

    # Work at the server.

    def commit(self, kind: str, key: str, new: Stored | None, event: Event | None = None) -> str:
        """Store a new version, or delete; tell the checker and the watches."""
        self.version += 1
        old = self.store[kind].get(key)
        if new is None:
            self.store[kind].pop(key, None)
        else:
            new = replace(new, version=str(self.version))
            self.store[kind][key] = new
        for committed in self.committed:
            committed(old, new, event)
        for channel in self.channels:
            if channel.kind == kind:
                channel.publish(old, new, self.version)
        return str(self.version)

    def run(self, uid: str) -> Run:
        run = self.store[RUNS].get(uid)
        if not isinstance(run, Run):
            raise Missing(uid)
        return run

    def write_event(self, uid: str, version: str, event: Event) -> str:
        """Write as the scheduler does: only this version."""
        run = self.run(uid)
        if run.version != version:
            raise Conflict(uid)
        return self._write(run, event)

    def write_fenced(self, seen: Run, event: Event) -> str:
        """Write as a daemon does: over changes by others that leave the attempt as it is."""
        run = self.run(seen.uid)
        if run.key != seen.key or run.assignment != seen.assignment or run.is_terminal:
            raise Conflict(seen.uid)
        return self._write(run, event)

    def _write(self, run: Run, event: Event) -> str:
        try:
            return self.commit(RUNS, run.uid, apply(run, event), event)
        except TransitionRefused as error:
            raise Conflict(str(error)) from error


class Channel(Generic[T]):
    """One client's watch of one kind, with the real mirror at its end."""

    def __init__(self, client: Process, api: Api, kind: str, selects: Callable[[Any], bool]) -> None:
        self.client = client
        self.api = api
        self.kind = kind
        self.selects: Callable[[Any], bool] = selects
        self.mirror: Mirror[T] = Mirror()
        self.on_events: Callable[[list[Changed[T] | Gone[T]]], None] = lambda events: None
        self.on_whole: Callable[[bool], None] = lambda whole: None
        self.open = False
        self.stalled_until = 0.0
        self._lists = 0
        self._before: dict[str, T] = {}
        self._last = 0.0
        # What the server has for this watch, in order: version, is it there, object.
        self._log: list[tuple[int, bool, T]] = []
        self._next = 0

    # At the server.

    def publish(self, old: Any, new: Any, version: int) -> None:
        was = old is not None and self.selects(old)
        now = new is not None and self.selects(new)
        if now:
            self._log.append((version, True, new))
        elif was:
            self._log.append((version, False, replace(new or old, version=str(version))))
        if now or was:
            self.flush()

    def flush(self) -> None:
        """Send what is new, in order, each a little later than the one before."""
        api, loop = self.api, self.api.loop
        while self.open and not api.paused and self._next < len(self._log):
            entry = self._log[self._next]
            self._next += 1
            # A little apart: two equal times could change places when they are rounded.
            at = max(self._last + 1e-6, loop.now + loop.rng.uniform(0.0005, 0.01), self.stalled_until)
            self._last = at
            self._send(at - loop.now, entry)
            if loop.rng.random() < 0.02:
                self._send(at - loop.now + 0.001, entry)  # told twice

    def _send(self, delay: float, entry: tuple[int, bool, T]) -> None:
        self.client.after(delay, lambda: self._receive(entry))

    # At the client.

    def start(self) -> None:
        """List, then watch."""
        self._lists += 1
        number = self._lists
        self.api.request(self.client, self._list, lambda result: self._listed(result, number))

    def restart(self) -> None:
        """Begin anew with an empty copy, so that the whole list is told again."""
        self.open = False
        known = list(self.mirror)
        self.mirror = Mirror()
        self._before = {item.uid: item for item in known}
        self.start()

    def break_off(self, gap: bool) -> None:
        """Lose the connection; with a gap the server no longer has what came meanwhile (410)."""
        if not self.open or not self.client.alive:
            return
        self.open = False
        self._last = 0.0
        self.client.after(0.01, lambda: self.on_whole(False))
        pause = self.api.loop.rng.uniform(0.05, 1.0)
        self.client.after(pause, self.start if gap else self._reopen)

    def _reopen(self) -> None:
        number = self._lists
        self.api.request(self.client, lambda: None, lambda result: self._reopened(result, number))

    def _reopened(self, result: Any, number: int) -> None:
        if number != self._lists:
            return
        if isinstance(result, Exception):
            self.client.after(0.5, self._reopen)
            return
        # From where it was; sometimes the server begins earlier and repeats.
        seen = int(self.mirror.version or 0) - self.api.loop.rng.choice((0, 0, 3))
        self._next = next((i for i, entry in enumerate(self._log) if entry[0] > seen), len(self._log))
        self.open = True
        self.on_whole(True)
        self.flush()

    def _list(self) -> tuple[list[T], int, int]:
        stored: list[Any] = list(self.api.store[self.kind].values())
        objects: list[T] = [item for item in stored if self.selects(item)]
        return objects, self.api.version, len(self._log)

    def _listed(self, result: Any, number: int) -> None:
        if number != self._lists:
            return  # another list was asked for since
        if isinstance(result, Exception):
            self.client.after(0.3, self.start)
            return
        objects, version, self._next = result
        events: list[Changed[T] | Gone[T]] = list(self.mirror.replace(objects, str(version)))
        gone = [item for uid, item in self._before.items() if all(uid != other.uid for other in objects)]
        self._before = {}
        self.on_events([*events, *(Gone(item) for item in gone)])
        self.open = True
        self.on_whole(True)
        self.flush()

    def _receive(self, entry: tuple[int, bool, T]) -> None:
        if not self.open:
            return
        _, there, item = entry
        events = self.mirror.put(item) if there else self.mirror.remove(item)
        if events:
            self.on_events(events)
