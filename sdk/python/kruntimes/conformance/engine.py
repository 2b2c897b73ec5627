"""Plans and runs checks: what can run together does, what needs the server alone waits. Judges no rule."""

import asyncio
import fnmatch
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import grpc.aio

from kruntimes.conformance.catalogue import Check, Manner, all_checks, profile_of
from kruntimes.conformance.client import Client, Refused, Settings, Traffic, Unlike
from kruntimes.conformance.needs import Facts, lacking
from kruntimes.conformance.pack import Pack
from kruntimes.conformance.processes import HookFailed
from kruntimes.conformance.report import Outcome, Report, Verdict
from kruntimes.conformance.target import Server, Target
from kruntimes.conformance.trial import Failed, Impossible, Trial
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc

READY_SECONDS: Final = 30.0
# One check that never comes back must not hold up the others for ever.
CHECK_SECONDS: Final = 90.0
MOST_TOGETHER: Final = 8
MOST_FRESH: Final = 2


class NoServer(Exception):
    """There is no server that answers Handshake; nothing can be judged."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which checks are run, and how. Patterns are shell patterns of ids and names."""

    run: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    profiles: frozenset[str] = frozenset()
    known_failing: frozenset[str] = frozenset()
    calls: Settings = field(default_factory=Settings)
    told: Callable[[Outcome], None] = lambda outcome: None


def selected(check: Check, options: Options) -> bool:
    """Whether a check is meant by the options."""
    if options.profiles and profile_of(check) not in options.profiles:
        return False
    return _matches(check, options.run) and not _matches(check, options.skip)


def _matches(check: Check, patterns: Iterable[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(check.id, one.upper()) or fnmatch.fnmatchcase(check.name, one) for one in patterns
    )


async def run_suite(target: Target, pack: Pack, options: Options) -> Report:
    """Run every selected check; the report tells of each. Raises NoServer."""
    began = time.monotonic()
    wanted = [one for one in all_checks().values() if selected(one, options)]
    async with target.server() as server:
        session = await Session.open(target, server, pack, options)
        outcomes = await session.run(wanted)
    return Report(
        hello=session.facts.hello,
        outcomes=tuple(outcomes[one.id] for one in wanted),
        known_failing=options.known_failing,
        seconds=time.monotonic() - began,
        scale=options.calls.scale,
    )


@dataclass(slots=True)
class Session:
    """One pass over one target."""

    target: Target
    server: Server
    facts: Facts
    options: Options
    places: "Places"
    traffic: Traffic = field(default_factory=Traffic)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @classmethod
    async def open(cls, target: Target, server: Server, pack: Pack, options: Options) -> "Session":
        """Shake hands with the server. Raises NoServer."""
        hello = await _shake_hands(server, options.calls)
        facts = Facts(
            hello=hello,
            pack=pack,
            abilities=server.abilities,
            fresh=target.fresh,
            socket=server.address.startswith("unix:"),
            token=server.token is not None,
        )
        return cls(target, server, facts, options, Places.of(hello))

    async def run(self, wanted: Iterable[Check]) -> dict[str, Outcome]:
        """Every check's outcome by id."""
        by_manner: dict[Manner, list[Check]] = {manner: [] for manner in Manner}
        for check in wanted:
            if (outcome := self._not_run(check)) is not None:
                self.outcomes[check.id] = outcome
            else:
                by_manner[self._manner(check)].append(check)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fresh(by_manner[Manner.OWN]))
            tasks.create_task(self._shared(by_manner))
        return self.outcomes

    def _manner(self, check: Check) -> Manner:
        if check.manner is Manner.APART:
            return Manner.OWN if self.facts.fresh else Manner.ALONE
        return check.manner

    def _not_run(self, check: Check) -> Outcome | None:
        if check.code is None:
            return Outcome(check, Verdict.NOT_WRITTEN, "the suite does not have this check yet")
        lack = lacking(check, self.facts)
        if lack is None:
            return None
        return Outcome(check, Verdict.SKIPPED if lack.skipped else Verdict.NOT_RUN, lack.why)

    async def _shared(self, by_manner: dict[Manner, list[Check]]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for check in by_manner[Manner.TOGETHER]:
                tasks.create_task(self._together(check))
        for check in (*by_manner[Manner.ALONE], *by_manner[Manner.LAST]):
            await self._judge(check, self.server, self.facts)

    async def _together(self, check: Check) -> None:
        async with self.places.taken(check):
            await self._judge(check, self.server, self.facts)

    async def _fresh(self, checks: list[Check]) -> None:
        gate = asyncio.Semaphore(MOST_FRESH)

        async def one(check: Check) -> None:
            async with gate, self.target.server() as server:
                try:
                    hello = await _shake_hands(server, self.options.calls)
                except NoServer as error:
                    self._tell(Outcome(check, Verdict.FAILED, str(error)))
                    return
                await self._judge(check, server, replace(self.facts, hello=hello))

        async with asyncio.TaskGroup() as tasks:
            for check in checks:
                tasks.create_task(one(check))

    async def _judge(self, check: Check, server: Server, facts: Facts) -> None:
        began = time.monotonic()
        trial = Trial(server, facts, self.traffic, self.options.calls)
        try:
            verdict, why = await _verdict(check, trial, CHECK_SECONDS * self.options.calls.scale)
        finally:
            await trial.clean()
        self._tell(Outcome(check, verdict, why, time.monotonic() - began))

    def _tell(self, outcome: Outcome) -> None:
        self.outcomes[outcome.check.id] = outcome
        self.options.told(outcome)


async def _verdict(check: Check, trial: Trial, bound: float) -> tuple[Verdict, str]:
    if check.code is None:
        raise ValueError(f"{check.id} has no code")
    try:
        async with asyncio.timeout(bound):
            await check.code(trial)
    except Impossible as impossible:
        return Verdict.SKIPPED, str(impossible)
    except (Failed, Refused, Unlike) as broken:
        return Verdict.FAILED, str(broken)
    except HookFailed as broken:
        return Verdict.NOT_RUN, str(broken)
    except TimeoutError:
        return Verdict.FAILED, "a call or a stream was not answered in time"
    return Verdict.PASSED, ""


async def _shake_hands(server: Server, settings: Settings) -> rpc.HandshakeResponse:
    client = Client(server.address, server.token, Traffic(), settings)
    try:
        await client.ready(READY_SECONDS * settings.scale)
        request = rpc.HandshakeRequest(client="kruntimes-conformance", feature_level=1)
        answer: rpc.HandshakeResponse = await client.once("Handshake", request)
    except TimeoutError:
        raise NoServer(f"nothing listens at {server.address}{_last_words(server)}") from None
    except (Refused, grpc.aio.UsageError) as refused:
        raise NoServer(f"{server.address}: {refused}{_last_words(server)}") from refused
    finally:
        await client.close()
    return answer


def _last_words(server: Server) -> str:
    said = getattr(server, "last_words", lambda: "")()
    return f"; it said:\n{said}" if said else ""


class Places:
    """How many Runs and streams checks may hold at once beside one another."""

    def __init__(self, runs: int, streams: int) -> None:
        self._most_runs = self._runs = runs
        self._most_streams = self._streams = streams
        self._changed = asyncio.Condition()

    @classmethod
    def of(cls, hello: rpc.HandshakeResponse) -> "Places":
        """What the server has room for, and no more than two cores can do in the time that checks allow."""
        capacity = hello.status.capacity
        bounds = [MOST_TOGETHER]
        if "runs" in capacity.available:
            bounds.append(capacity.available["runs"])
        if capacity.max_outstanding_runs:
            bounds.append(capacity.max_outstanding_runs - capacity.active_runs)
        return cls(max(1, min(bounds)), hello.capabilities.watch.max_streams or 2)

    @asynccontextmanager
    async def taken(self, check: Check) -> AsyncIterator[None]:
        """Hold what a check needs, or all that there is."""
        runs, streams = min(check.runs, self._most_runs), min(check.streams, self._most_streams)
        async with self._changed:
            await self._changed.wait_for(lambda: self._runs >= runs and self._streams >= streams)
            self._runs -= runs
            self._streams -= streams
        try:
            yield
        finally:
            async with self._changed:
                self._runs += runs
                self._streams += streams
                self._changed.notify_all()
