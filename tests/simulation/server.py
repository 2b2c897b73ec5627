"""A model runtime server: keys, tombstones, slots, stops; programs that run, end, and refuse to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kruntimes_core.daemon.instructions import Answered, Done, Outcome, Refused
from kruntimes_core.daemon.server import Code, ErrorKind, RunState, ServerError, ServerRun, ServerStatus
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.resources import Amounts, add, fits, subtract
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState
from tests.simulation.clockwork import Loop, Process
from tests.simulation.readers import Readers

DAEMON_TIMEOUT = 6.0
_DAEMON_LOST_GRACE = 2.0


@dataclass(frozen=True)
class Program:
    """What a Run's code does: how long, with which exit code, and how it takes a polite stop."""

    seconds: float = 0.1
    exit_code: int = 0
    # Seconds from a polite stop to its end.
    stops_in: float = 0.05


class CodeLog(Protocol):
    """Hears of user code beginning and ending."""

    def code_began(self, code: UserCode) -> None: ...

    def code_ended(self, code: UserCode) -> None: ...


class UserCode:
    """User code of one attempt: it outlives a stopped server, and only freezes with the whole machine."""

    def __init__(self, loop: Loop, log: CodeLog, key: RunKey, seconds: float) -> None:
        self.loop, self.log, self.key = loop, log, key
        self.running = False
        self._ends_at = loop.now + seconds
        self._left = seconds
        self._cut_short = False
        self.on_exit: Callable[[], None] = lambda: None
        self.over = False
        self.by_itself = False

    def go_on(self) -> None:
        if not self.over and not self.running:
            self.running = True
            self._ends_at = self.loop.now + self._left
            self.log.code_began(self)
            self._watch_end(self._ends_at)

    def freeze(self) -> None:
        if self.running:
            self.running = False
            self._left = self._ends_at - self.loop.now
            self.log.code_ended(self)

    def end_within(self, seconds: float) -> None:
        """End after so long at the latest."""
        if self.over:
            return
        self._left = min(self._left, seconds)
        if self.running and self.loop.now + seconds < self._ends_at:
            self._cut_short = True
            self._ends_at = self.loop.now + seconds
            self._watch_end(self._ends_at)

    def kill(self) -> None:
        if not self.over:
            self._cut_short = True
            self._exit()

    def _watch_end(self, ends_at: float) -> None:
        def end() -> None:
            if self.running and not self.over and self._ends_at == ends_at:
                self._exit()

        self.loop.after(ends_at - self.loop.now, end)

    def _exit(self) -> None:
        if self.running:
            self.log.code_ended(self)
        self.running = False
        self.over = True
        self.by_itself = not self._cut_short
        self.on_exit()


@dataclass
class Held:
    """A Run the server has."""

    snapshot: ServerRun
    program: Program
    requests: Amounts
    grace: float
    code: UserCode
    cause: str = ""


@dataclass(frozen=True)
class Forgotten:
    """Watch's word that nothing of a key is left."""

    key: RunKey


class Listener(Protocol):
    """The daemon's end of Watch."""

    def hear(self, event: object, stream: int) -> None: ...


class ServerProcess(Process):
    """One member's server. Its Runs die with it, at the latest when the next one begins."""

    def __init__(self, loop: Loop, pod: str, capacity: Amounts, log: CodeLog) -> None:
        super().__init__(loop, f"{pod}-server")
        self.pod = pod
        self.capacity = capacity
        self.log = log
        self.programs: dict[str, Program] = {}
        self.instance = ""
        self.held: dict[RunKey, Held] = {}
        self.tombstones: dict[str, int] = {}
        self.draining = False
        self.shy = False  # leaves ErrorInfo away
        self.heard_at = 0.0
        self.flaky = 0.0
        self._listener: Listener | None = None
        self._stream = 0
        self._last = 0.0
        self.readers = Readers(loop)

    def born(self) -> None:
        for held in self.held.values():
            held.code.kill()
        self.instance = f"{self.pod}-i{self.life}"
        self.held, self.tombstones = {}, {}
        self.draining = False
        self.heard_at = self.loop.now
        self._listener = None
        self.after(1.0, self._mind_daemon)

    def kill(self) -> None:
        super().kill()
        listener, stream = self._listener, self._stream
        self._listener = None
        for held in self.held.values():
            held.code.on_exit = lambda: None
        self.readers.end(Refused(Code.UNAVAILABLE))
        if listener is not None:
            self.loop.after(0.002, lambda: listener.hear("lost", stream))

    def end_all(self) -> None:
        """The machine is gone, and all code with it."""
        for held in self.held.values():
            held.code.kill()

    def freeze(self) -> None:
        self.pause()
        for held in self.held.values():
            held.code.freeze()

    def thaw(self) -> None:
        overdue = self.loop.now - self.heard_at > DAEMON_TIMEOUT
        for held in list(self.held.values()):
            if overdue:
                held.cause = held.cause or "DAEMON_LOST"
                held.code.kill()
            else:
                held.code.go_on()
        self.resume()

    # The way to it.

    def call(
        self,
        client: Process,
        work: Callable[[], Outcome],
        reply: Callable[[Outcome], None],
        timeout: float = 2.0,
    ) -> None:
        """Do some work at the server; the reply comes exactly once."""
        rng = self.loop.rng
        answered = False

        def answer(outcome: Outcome) -> None:
            nonlocal answered
            if not answered:
                answered = True
                reply(outcome)

        fate = rng.random()
        client.after(timeout, lambda: answer(Refused(Code.DEADLINE_EXCEEDED)))

        def arrive() -> None:
            if answered and rng.random() < 0.5:
                return  # the client gave up, and the library saw it first
            self.heard_at = self.loop.now
            outcome = work()
            if fate >= self.flaky:
                client.after(rng.uniform(0.0002, 0.002), lambda: answer(outcome))

        if not self.alive:
            client.after(0.001, lambda: answer(Refused(Code.UNAVAILABLE)))
        else:
            self.after(rng.uniform(0.0002, 0.003), arrive)

    # Calls.

    def status(self) -> ServerStatus:
        state = AcceptState.DRAINING if self.draining else AcceptState.ACCEPTING
        return ServerStatus(self.instance, state, self.capacity)

    def watch(self, listener: Listener, stream: int) -> None:
        """Send everything, then every change."""
        self._listener, self._stream = listener, stream
        self._last = 0.0
        self._tell(self.status())
        for held in self.held.values():
            self._tell(held.snapshot)
        self._tell("synced")

    def drain(self) -> None:
        self.draining = True
        self._tell(self.status())

    def start(self, run: Run, instance: str) -> Outcome:
        key = run.key
        refused = self._refuse(run, instance)
        if refused is not None:
            return refused
        if key in self.held:
            return Answered(self.held[key].snapshot)
        program = self.programs.get(run.uid, Program())
        code = UserCode(self.loop, self.log, key, program.seconds)
        grace = 30.0 if run.grace is None else run.grace
        snapshot = ServerRun(key, self.instance, 1, RunState.STARTING, accepted=self.instant().wall)
        held = self.held[key] = Held(snapshot, program, run.requests, grace, code)
        code.on_exit = self.callback(lambda: self._exited(held))
        self._tell(snapshot)
        self.after(self.loop.rng.uniform(0.001, 0.02), lambda: self._run(held, run.timeout))
        return Answered(snapshot)

    def _refuse(self, run: Run, instance: str) -> Refused | None:
        key = run.key
        if instance != self.instance:
            return Refused(Code.ABORTED, "INSTANCE_CHANGED")
        if key in self.held:
            return None
        if self.tombstones.get(run.uid, 0) >= run.attempt:
            return Refused(Code.ABORTED, "RUN_FORGOTTEN")
        others = [known for known in self.held if known.uid == run.uid]
        if any(known.attempt > run.attempt for known in others):
            return Refused(Code.ABORTED, "ATTEMPT_SUPERSEDED")
        if any(not self.held[known].snapshot.is_terminal for known in others):
            return Refused(Code.FAILED_PRECONDITION, "PREVIOUS_ATTEMPT_ACTIVE")
        return self._no_room(run)

    def _no_room(self, run: Run) -> Refused | None:
        if not fits(run.requests, self.capacity):
            return Refused(Code.OUT_OF_RANGE, "EXCEEDS_TOTAL")
        if self.draining:
            return Refused(Code.UNAVAILABLE, "" if self.shy else "DRAINING")
        if not fits(run.requests, self._free()):
            return Refused(Code.RESOURCE_EXHAUSTED, "" if self.shy else "SERVER_FULL")
        return None

    def look(self, key: RunKey) -> Outcome:
        held = self.held.get(key)
        return Answered(held.snapshot) if held else Refused(Code.NOT_FOUND)

    def cancel(self, key: RunKey, grace: float | None, reason: str) -> Outcome:
        held = self.held.get(key)
        if held is None:
            return Refused(Code.NOT_FOUND)
        if not held.snapshot.is_terminal:
            self._stop(held, reason, held.grace if grace is None else grace)
        return Answered(held.snapshot)

    def forget(self, key: RunKey, stop: bool) -> Outcome:
        held = self.held.get(key)
        if held is not None and not held.snapshot.is_terminal and not stop:
            return Refused(Code.FAILED_PRECONDITION, "RUN_ACTIVE")
        self.tombstones[key.uid] = max(self.tombstones.get(key.uid, 0), key.attempt)
        if held is not None:
            held.code.on_exit = lambda: None
            held.code.kill()
            del self.held[key]
            self.readers.end(Refused(Code.UNAVAILABLE), key)
            self._tell(Forgotten(key))
        return Done()

    def follow(self, client: Process, key: RunKey, reply: Callable[[Outcome], None]) -> None:
        """Answer when the Run has no more to say, or when nobody can tell any more."""
        answer = self.readers.open(client, reply)

        def arrive() -> None:
            self.heard_at = self.loop.now
            held = self.held.get(key)
            if held is None or held.snapshot.is_terminal:
                client.after(0.001, lambda: answer(Done() if held else Refused(Code.NOT_FOUND)))
            else:
                self.readers.wait(key, client, answer)

        if self.alive:
            self.after(self.loop.rng.uniform(0.0002, 0.003), arrive)
        else:
            client.after(0.001, lambda: answer(Refused(Code.UNAVAILABLE)))

    # Its own work.

    def _free(self) -> Amounts:
        taken: Amounts = {}
        for held in self.held.values():
            if not held.snapshot.is_terminal:
                taken = add(taken, held.requests)
        return subtract(self.capacity, taken)

    def _run(self, held: Held, timeout: float | None) -> None:
        if held.snapshot.is_terminal or held.code.over:
            return
        if held.cause:
            held.code.kill()
            return
        self._change(held, state=RunState.RUNNING, started=self.instant().wall)
        held.code.go_on()
        if timeout is not None:
            self.after(timeout, lambda: self._stop(held, "TIME_LIMIT", held.grace))

    def _stop(self, held: Held, reason: str, grace: float) -> None:
        if held.snapshot.is_terminal or held.code.over:
            return
        held.cause = held.cause or reason
        if not held.code.running and held.snapshot.state == RunState.STARTING:
            return  # it never begins
        if held.snapshot.state != RunState.STOPPING:
            self._change(held, state=RunState.STOPPING)
        held.code.end_within(min(held.program.stops_in, grace))

    def _exited(self, held: Held) -> None:
        if held.snapshot.is_terminal or self.held.get(held.snapshot.key) is not held:
            return
        wall = self.instant().wall
        if held.code.by_itself:
            held.cause = ""
        if held.cause == "TIME_LIMIT":
            error = ServerError(ErrorKind.TIME_LIMIT, held.cause)
            self._change(held, state=RunState.TIMED_OUT, ended=wall, error=error)
        elif held.cause:
            error = ServerError(ErrorKind.CANCELLED, held.cause)
            self._change(held, state=RunState.CANCELLED, ended=wall, error=error)
        elif held.program.exit_code:
            error = ServerError(ErrorKind.USER_CODE, "NON_ZERO_EXIT")
            code = held.program.exit_code
            self._change(held, state=RunState.FAILED, ended=wall, exit_code=code, error=error)
        else:
            self._change(held, state=RunState.SUCCEEDED, ended=wall, exit_code=0)

    def _mind_daemon(self) -> None:
        if self.loop.now - self.heard_at > DAEMON_TIMEOUT:
            for held in list(self.held.values()):
                self._stop(held, "DAEMON_LOST", min(held.grace, _DAEMON_LOST_GRACE))
        self.after(1.0, self._mind_daemon)

    def _change(self, held: Held, **changes: Any) -> None:
        revision = held.snapshot.revision + 1
        held.snapshot = replace(held.snapshot, revision=revision, **changes)
        if held.snapshot.is_terminal:
            self.readers.end(Done(), held.snapshot.key)
        self._tell(held.snapshot)

    def _tell(self, event: object) -> None:
        listener, stream = self._listener, self._stream
        if listener is None:
            return
        self._last = max(self._last + 1e-6, self.loop.now + self.loop.rng.uniform(0.0002, 0.003))
        self.loop.after(self._last - self.loop.now, lambda: listener.hear(event, stream))
