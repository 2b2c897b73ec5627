"""Carries out what the book orders: executions, output, watchers, one timer. Holds no rule of its own."""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.runtime.v1.runtime_service_pb2 import HandshakeRequest, StartRunRequest
from kruntimes.server.author import (
    End,
    ErrorKind,
    Execution,
    LoadFailure,
    RetryAdvice,
    RunError,
    RunKey,
    RuntimeServer,
)
from kruntimes.server.bounds import Bounds
from kruntimes.server.checks import SpecChecks, seconds
from kruntimes.server.machine import Act, Book, Policy
from kruntimes.server.refusals import refusal
from kruntimes.server.settings import Settings
from kruntimes.server.snapshots import Wall, run_message, status_message
from kruntimes.server.spool import Output, Spool
from kruntimes.server.watch import Watchers

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """What the host holds of one Run beside its record. A stop before the execution waits for it."""

    output: Output
    wall: Wall
    gone: asyncio.Event
    execution: Execution | None = None
    stop_wanted: bool = False
    kill_wanted: bool = False
    snapshot: pb.Run | None = None

    def attach(self, execution: Execution) -> None:
        """The author began the Run."""
        self.execution = execution
        if self.kill_wanted:
            self.kill()
        elif self.stop_wanted:
            self.stop()

    def stop(self) -> None:
        """The polite stop, now or as soon as there is something to stop."""
        self.stop_wanted = True
        if self.execution is not None:
            _call("stop", self.execution)

    def kill(self) -> None:
        """The hard stop, now or as soon as there is something to stop."""
        self.kill_wanted = True
        if self.execution is not None:
            _call("kill", self.execution)


@dataclass(frozen=True, slots=True)
class Started:
    """A Run as its author sees it; see author.StartedRun."""

    key: RunKey
    spec: pb.RunSpec
    output: Output
    host: "Host"

    def write(self, channel: str, data: bytes) -> None:
        """Append to a channel; ValueError for a name that is none, or after the end."""
        self.output.write(channel, data)

    def running(self) -> None:
        """User code begins now."""
        self.host.running(self.key)


class Host:
    """One runtime server's Runs. Make it and call it on a running event loop; `close` ends it."""

    def __init__(self, server: RuntimeServer, spool: Spool) -> None:
        description = server.description
        self.bounds = Bounds.of(description.limits)
        self.instance = str(uuid4())
        self.book = Book(
            Policy(
                instance=self.instance,
                capacity=description.capacity,
                max_outstanding=description.max_outstanding_runs,
                retention=self.bounds.retention,
                tombstone_ttl=self.bounds.tombstone,
            )
        )
        self.watchers = Watchers(self)
        self.empty = asyncio.Event()
        self.draining = asyncio.Event()
        self._server = server
        self._spool = spool
        self._checks = SpecChecks(description, self.bounds)
        self._config_settings = Settings(description.config_schema, "CONFIG_INVALID")
        self._config: dict[str, object] | None = None
        self._works: dict[RunKey, Work] = {}
        self._carriers: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._wall = Wall(time.time(), self._loop.time())
        self._timer: asyncio.TimerHandle | None = None
        self._told_revision = self.book.status_revision
        self._told_standing = self.standing()
        self._settle()

    # What a Watch reads

    def keys(self) -> Iterable[RunKey]:
        """Every Run not forgotten, in the order of acceptance."""
        return self._works

    def revision(self, key: RunKey) -> int | None:
        """The newest revision of a Run; None when it is not known."""
        record = self.book.known(key)
        return None if record is None else record.revision

    def snapshot(self, key: RunKey) -> pb.Run:
        """The newest snapshot of a Run. Refuses INVALID_ARGUMENT and NOT_FOUND."""
        record = self.book.get(key)
        work = self._works[key]
        if work.snapshot is not None:
            return work.snapshot
        run = run_message(record, work.wall, self.instance, work.output)
        if record.state.terminal:
            work.snapshot = run
        return run

    def status(self) -> status_pb2.ServerStatus:
        """The newest snapshot of the server."""
        return status_message(self.book, self._wall, self._wall.monotonic, self._spool.broken)

    def standing(self) -> tuple[int, str]:
        """Whether Runs are taken and output is kept; news of it is sent at once."""
        return self.book.accepts, self._spool.broken

    # What calls ask for

    def heard(self) -> None:
        """The daemon made a call."""
        self.book.heard(self._loop.time())

    def shake_hands(self, request: HandshakeRequest) -> None:
        """Apply config, granted capacity and daemon timeout. Refuses a bad or a changed config."""
        if request.config_json:
            self._configure(self._config_settings.parse(request.config_json))
        timeout = seconds(request.daemon_timeout) if request.HasField("daemon_timeout") else None
        if timeout is not None and timeout <= 0:
            raise refusal("FIELD_INVALID", field="daemon_timeout", why="must be more than zero")
        self.book.grant(request.capacity, timeout)
        self._settle()

    def _configure(self, config: dict[str, object]) -> None:
        if self._config is None:
            self._server.configure(config)
            self._config = config
        elif config != self._config:
            raise refusal("CONFIG_CHANGED")

    def start(self, request: StartRunRequest) -> tuple[pb.Run, bool]:
        """Take a Run or find the known one; the snapshot, and whether it is new."""
        now = self._loop.time()
        key = RunKey(request.key.run_uid, request.key.attempt)
        if self.book.find(key, request.spec_digest, request.expected_instance_id, now) is not None:
            return self.snapshot(key), False
        terms = self._checks.terms(request.spec, request.spec_digest)
        self._server.check(request.spec)
        self.book.admit(key, request.spec_digest, terms, now)
        policy = request.spec.output_policy
        most = min(policy.max_bytes or self.bounds.channel, self.bounds.channel)
        keep_tail = policy.overflow == pb.OUTPUT_OVERFLOW_KEEP_TAIL
        output = self._spool.output(key, most, keep_tail)
        self._works[key] = Work(output, Wall(time.time(), now), asyncio.Event())
        carrier = asyncio.create_task(self._carry(Started(key, request.spec, output, self)))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carried)
        self._settle()
        return self.snapshot(key), True

    def cancel(self, key: RunKey, grace: float | None, reason: str) -> pb.Run:
        """Ask a Run to stop; its snapshot."""
        self.book.cancel(key, grace, reason, self._loop.time())
        self._settle()
        return self.snapshot(key)

    async def forget(self, key: RunKey, stop: bool, wait: float) -> None:
        """Drop a Run; with `stop` end it first; refuse STOP_UNDER_WAY if that takes over `wait` seconds."""
        work = self._works.get(key)
        gone = self.book.forget(key, stop, self._loop.time())
        self._settle()
        if gone or work is None:
            return
        try:
            async with asyncio.timeout(wait):
                await work.gone.wait()
        except TimeoutError as error:
            raise refusal("STOP_UNDER_WAY") from error

    def drain(self, timeout: float | None) -> int:
        """Take no new Runs; the number of Runs not terminal."""
        active = self.book.drain(timeout, self._loop.time())
        self.draining.set()
        self._settle()
        return active

    def output(self, key: RunKey) -> Output:
        """The channels of a Run. Refuses INVALID_ARGUMENT and NOT_FOUND."""
        self.book.get(key)
        return self._works[key].output

    # What executions report

    def running(self, key: RunKey) -> None:
        """User code of a Run begins now."""
        self.book.running(key, self._loop.time())
        self._settle()

    async def _carry(self, run: Started) -> None:
        work = self._works[run.key]
        end = await self._live(run, work)
        work.output.close()
        work.execution = None
        self.book.ended(run.key, end, self._loop.time())
        self._settle()

    async def _live(self, run: Started, work: Work) -> End:
        try:
            execution = await self._server.start(run)
            work.attach(execution)
            return await execution.wait()
        except LoadFailure as failure:
            error = RunError(ErrorKind.USER_INPUT, failure.reason, failure.message, RetryAdvice.NEVER)
            return End(error=error)
        except Exception as error:  # a bug of the author's server must end this Run and no other
            log.exception("Run %s attempt %d: the server failed", run.key.uid, run.key.attempt)
            message = f"The runtime server failed: {type(error).__name__}: {error}"
            return End(error=RunError(ErrorKind.SERVER, "SERVER_ERROR", message))

    # Orders and time

    def _settle(self) -> None:
        """Carry out what the book ordered, tell of the status, set the timer."""
        for act, key in self.book.orders():
            if act is Act.CHANGED:
                record = self.book.known(key)
                self.watchers.changed(key, record is not None and record.state.terminal)
            elif act is Act.FORGOTTEN:
                work = self._works.pop(key)
                work.output.drop()
                work.gone.set()
                self.watchers.forgotten(key)
            elif act is Act.STOP:
                self._works[key].stop()
            else:
                self._works[key].kill()
        if self.book.status_revision != self._told_revision:
            self._told_revision = self.book.status_revision
            self.watchers.status_changed(self.standing() != self._told_standing)
            self._told_standing = self.standing()
        if len(self.book):
            self.empty.clear()
        else:
            self.empty.set()
        self._arm()

    def _arm(self) -> None:
        due = self.book.due()
        if due is None:
            return
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.book.tick(self._loop.time())
        self._settle()

    def _carried(self, carrier: asyncio.Task[None]) -> None:
        self._carriers.discard(carrier)
        if not carrier.cancelled() and (error := carrier.exception()) is not None:
            log.error("a Run was not carried to its end", exc_info=error)

    def end_streams(self) -> None:
        """Send watchers and readers away; nothing more can be read."""
        self.watchers.end()
        for work in self._works.values():
            work.output.drop()

    async def close(self, wait: float) -> None:
        """Kill what is left, wait at most `wait` seconds for it, then let go of it."""
        for work in self._works.values():
            work.kill()
        if self._carriers:
            await asyncio.wait(self._carriers, timeout=wait)
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()


def _call(name: str, execution: Execution) -> None:
    """Call `stop` or `kill`: an author's bug there must not keep other orders from being carried out."""
    try:
        getattr(execution, name)()
    except Exception:  # told, and given again by the book until the work is gone
        log.exception("%s() of an execution failed", name)
