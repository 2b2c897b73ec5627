"""What a check works with: fresh keys, Runs of fixtures, waits, cleaning. Judges nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, TypeVar
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration

from kruntimes.conformance.client import Client, Refused, Settings, Stream, Traffic
from kruntimes.conformance.needs import Facts
from kruntimes.conformance.target import Server
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import status_pb2
from kruntimes.runtime.v1 import types_pb2 as pb

TERMINAL: Final = pb.RUN_STATE_SUCCEEDED
END_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.01
STOP: Final = rpc.FORGET_MODE_STOP

Value = TypeVar("Value")


class Failed(Exception):
    """A rule is broken; the message says what was seen."""


class Impossible(Exception):
    """This server cannot be brought into the situation; the message says why."""


def expect(holds: object, seen: str) -> None:
    """Fail with what was seen unless it holds."""
    if not holds:
        raise Failed(seen)


def fail(seen: str) -> NoReturn:
    """Fail with what was seen."""
    raise Failed(seen)


def duration(seconds: float) -> Duration:
    """Seconds as a Duration."""
    value = Duration()
    value.FromMilliseconds(round(seconds * 1000))
    return value


def state_name(run: pb.Run) -> str:
    """A state in words."""
    return pb.RunState.Name(run.state).removeprefix("RUN_STATE_")


class Trial:
    """One check's hands. Every key made here is forgotten with STOP at the end."""

    def __init__(self, server: Server, facts: Facts, traffic: Traffic, settings: Settings) -> None:
        self.server = server
        self.facts = facts
        self.traffic = traffic
        self._settings = settings
        self._keys: list[pb.RunKey] = []
        self._clients: list[Client] = []
        self.client = self.connect()

    def connect(self) -> Client:
        """One more connection; closed at the end."""
        client = Client(self.server.address, self.server.token, self.traffic, self._settings)
        self._clients.append(client)
        return client

    @property
    def has_output(self) -> bool:
        """Whether ReadOutput is served."""
        return self.facts.can.HasField("output")

    @property
    def has_watch(self) -> bool:
        """Whether Watch is served."""
        return self.facts.can.HasField("watch")

    def provides(self, word: str) -> bool:
        """Whether the pack says that the runtime has it."""
        return word in self.facts.pack.provides

    def scaled(self, seconds: float) -> float:
        """A wait of this session."""
        return seconds * self._settings.scale

    # Runs

    def key(self, uid: str | None = None, attempt: int = 1) -> pb.RunKey:
        """A key nobody used before, or another attempt of one."""
        key = pb.RunKey(run_uid=uid or str(uuid4()), attempt=attempt)
        self._keys.append(key)
        return key

    def spec(self, fixture: str, **changes: Any) -> pb.RunSpec:
        """A fixture's spec for one place, with fields replaced."""
        spec = pb.RunSpec(namespace="conformance", name=fixture.replace("_", "-"))
        spec.MergeFrom(self.facts.pack.specs[fixture])
        known = {one.name for one in self.facts.can.scheduling.resources}
        if "runs" in known and "runs" not in spec.resources.requests:
            spec.resources.requests["runs"] = 1
        for name, value in changes.items():
            spec.ClearField(name)  # type: ignore[arg-type]  # a name of a field, by the caller's word
            spec.MergeFrom(pb.RunSpec(**{name: value}))
        return spec

    def request(self, spec: pb.RunSpec, key: pb.RunKey | None = None) -> rpc.StartRunRequest:
        """A StartRun as a daemon sends it."""
        digest = hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()
        return rpc.StartRunRequest(
            key=key or self.key(),
            spec_digest=f"sha256:{digest}",
            spec=spec,
            expected_instance_id=self.facts.hello.instance_id,
        )

    async def start(self, fixture: str, key: pb.RunKey | None = None, **changes: Any) -> pb.Run:
        """Start a Run of a fixture; its first snapshot."""
        request = self.request(self.spec(fixture, **changes), key)
        answer: rpc.StartRunResponse = await self.client.call("StartRun", request)
        return answer.run

    async def run(self, fixture: str, key: pb.RunKey | None = None, **changes: Any) -> pb.Run:
        """Run a fixture to its end."""
        return await self.ended((await self.start(fixture, key, **changes)).key)

    async def get(self, key: pb.RunKey) -> pb.Run:
        """One snapshot."""
        answer: rpc.GetRunResponse = await self.client.call("GetRun", rpc.GetRunRequest(key=key))
        return answer.run

    async def listed(self) -> list[pb.Run]:
        """Every Run on all pages."""
        runs: list[pb.Run] = []
        request = rpc.ListRunsRequest()
        while True:
            page: rpc.ListRunsResponse = await self.client.call("ListRuns", request)
            runs.extend(page.runs)
            if not page.next_page_token:
                return runs
            request = rpc.ListRunsRequest(page_token=page.next_page_token)

    async def cancel(self, key: pb.RunKey, grace: float | None = None, reason: str = "") -> pb.Run:
        """Cancel a Run; its snapshot."""
        request = rpc.CancelRunRequest(key=key, reason=reason)
        if grace is not None:
            request.grace.CopyFrom(duration(grace))
        answer: rpc.CancelRunResponse = await self.client.call("CancelRun", request)
        return answer.run

    async def forget(
        self, key: pb.RunKey, mode: rpc.ForgetMode.ValueType = rpc.FORGET_MODE_UNSPECIFIED
    ) -> None:
        """Forget a Run; with STOP until it is gone."""
        request = rpc.ForgetRunRequest(key=key, mode=mode)

        async def gone() -> bool:
            try:
                await self.client.call("ForgetRun", request)
            except Refused as refused:
                if mode == STOP and refused.code == "UNAVAILABLE":
                    return False
                raise
            return True

        await self.until(gone, END_SECONDS, "ForgetRun with STOP did not answer OK")

    async def status(self) -> status_pb2.ServerStatus:
        """The server's status."""
        request = rpc.GetServerStatusRequest()
        answer: rpc.GetServerStatusResponse = await self.client.call("GetServerStatus", request)
        return answer.status

    async def refused(self, method: str, request: Any, *codes: str) -> Refused:
        """The refusal of a call that must be answered by one of these codes."""
        try:
            await self.client.call(method, request)
        except Refused as refused:
            expect(refused.code in codes, f"{refused}; it should be {' or '.join(codes)}")
            return refused
        fail(f"{method} answered OK; it should be {' or '.join(codes)}")

    # Waiting

    async def until(
        self, look: Callable[[], Awaitable[Value | None]], within: float, otherwise: str
    ) -> Value:
        """Look until there is something; Failed with `otherwise` after `within` seconds."""
        try:
            async with asyncio.timeout(self.scaled(within)):
                while not (found := await look()):
                    await asyncio.sleep(LOOK_SECONDS)
                return found
        except TimeoutError:
            fail(f"{otherwise} within {self.scaled(within):.1f} s")

    async def ended(self, key: pb.RunKey, within: float = END_SECONDS) -> pb.Run:
        """The terminal snapshot, from GetRun."""

        async def look() -> pb.Run | None:
            run = await self.get(key)
            return run if run.state >= TERMINAL else None

        return await self.until(look, within, "the Run did not end")

    async def started(self, key: pb.RunKey) -> pb.Run:
        """A snapshot in which user code runs."""

        async def look() -> pb.Run | None:
            run = await self.get(key)
            expect(run.state < TERMINAL, f"the Run ended {state_name(run)} before it was seen running")
            return run if run.HasField("start_time") else None

        return await self.until(look, END_SECONDS, "the Run did not reach RUNNING")

    async def readied(self, fixture: str, **changes: Any) -> pb.RunKey:
        """Start a fixture that says ready, and wait for the word; where output is not live, for a second."""
        key = (await self.start(fixture, **changes)).key
        await self.started(key)
        if not self.facts.can.output.live:
            await asyncio.sleep(self.scaled(1.0))
            return key
        await self.until(lambda: self._says_ready(key), END_SECONDS, f"{fixture} did not say ready")
        return key

    async def _says_ready(self, key: pb.RunKey) -> bool:
        return b"ready" in await self.output(key, follow=False)

    async def output(
        self, key: pb.RunKey, channel: str = "stdout", follow: bool = True, offset: int = 0
    ) -> bytes:
        """The bytes of a channel; with `follow` all of them."""
        cursor = rpc.OutputCursor(channel=channel, offset=offset)
        request = rpc.ReadOutputRequest(key=key, cursors=[cursor], follow=follow)
        return b"".join(part.chunk.data for part in await self.client.read(request))

    @asynccontextmanager
    async def watching(self, heartbeat: float = 10.0) -> AsyncIterator[Stream]:
        """A Watch for as long as the block runs."""
        request = rpc.WatchRequest(heartbeat_interval=duration(heartbeat))
        async with self.client.stream("Watch", request) as stream:
            yield stream

    async def within(self, seconds: float, wait: Awaitable[Value], otherwise: str) -> Value:
        """The value of something awaited; Failed with `otherwise` after that many seconds."""
        try:
            async with asyncio.timeout(self.scaled(seconds)):
                return await wait
        except TimeoutError:
            fail(f"{otherwise} within {self.scaled(seconds):.1f} s")

    # The end

    async def clean(self) -> None:
        """Forget every key with STOP and hang up. What a server refuses here is judged elsewhere."""
        try:
            async with asyncio.timeout(self.scaled(END_SECONDS)):
                await asyncio.gather(*(self._clean(key) for key in self._keys))
        except TimeoutError:
            pass  # the Run outlives the check; CA-04 and FO-03 judge that
        finally:
            await asyncio.gather(*(client.close() for client in self._clients))

    async def _clean(self, key: pb.RunKey) -> None:
        while True:
            try:
                await self.client.once("ForgetRun", rpc.ForgetRunRequest(key=key, mode=STOP))
                return
            except Refused as refused:
                if refused.code != "UNAVAILABLE" or refused.reason == "":
                    return
                await asyncio.sleep(LOOK_SECONDS)
