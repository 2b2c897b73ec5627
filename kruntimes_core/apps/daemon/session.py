"""Keeps the conversation with the runtime server: handshake, news, signs of life; decides nothing."""

import asyncio
import contextlib
import logging
from importlib.metadata import version
from typing import Final

from kruntimes.runtime.v1 import runtime_service_pb2 as wire

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.news import ServerNews
from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.apps.daemon.parameters import BadSchema, Parameters
from kruntimes_core.apps.daemon.preparation import Preparation
from kruntimes_core.apps.daemon.settings import Settings
from kruntimes_core.apps.daemon.wishes import serve_wishes
from kruntimes_core.daemon.server import Code
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed
from kruntimes_core.rpc.requests import name_workspace, to_duration

log = logging.getLogger(__name__)

FEATURE_LEVEL: Final = 1
# How long one Handshake waits for a server that does not listen yet.
PATIENCE: Final = 10.0
HEARTBEAT: Final = 10.0
AUDIT_EVERY: Final = 60.0
SWEEP_EVERY: Final = 60.0
# What Watch may need to tell of a change that a list shows already.
AUDIT_GRACE: Final = 2.0
FIRST_POLL: Final = 0.05
LAST_POLL: Final = 2.0


class Session:
    """The conversation of one daemon with one server, through any number of its processes."""

    def __init__(
        self,
        client: RuntimeClient,
        settings: Settings,
        driver: Driver,
        preparation: Preparation,
        outputs: Outputs,
    ) -> None:
        self._client = client
        self._settings = settings
        self._driver = driver
        self._preparation = preparation
        self._outputs = outputs
        self.news = ServerNews(driver)
        self.wanted = asyncio.Event()
        self.started = asyncio.Event()
        """A Run was started just now: polling begins anew with short pauses."""

    async def run(self) -> None:
        """Go on until cancelled; begin anew whenever that is wanted."""
        await serve_wishes(self.wanted, self._converse)

    async def _converse(self) -> None:
        try:
            welcome = await self._shake_hands()
            await self._follow(welcome)
        except* CallFailed as failures:
            for failure in failures.exceptions:
                log.warning("the runtime server cannot be followed: %s", failure)
            self._driver.tell(self._driver.machine.server_lost)

    async def _shake_hands(self) -> wire.HandshakeResponse:
        settings = self._settings
        request = wire.HandshakeRequest(
            client=f"kruntimes-daemon/{version('kruntimes')}",
            feature_level=FEATURE_LEVEL,
            runtime=settings.seat.runtime,
            config_json=settings.server_config,
            capacity=settings.capacity,
            daemon_timeout=to_duration(settings.daemon_timeout),
        )
        welcome = await self._client.handshake(request, PATIENCE)
        try:
            self._preparation.parameters = Parameters(welcome.parameters_schema)
        except BadSchema as error:
            raise CallFailed("Handshake", Code.FAILED_PRECONDITION, "BAD_SCHEMA", str(error)) from None
        log.info(
            "shook hands",
            extra={
                "server": welcome.server,
                "version": welcome.server_version,
                "instance": welcome.instance_id,
            },
        )
        self.news.greet(welcome.status)
        return welcome

    async def _follow(self, welcome: wire.HandshakeResponse) -> None:
        """Listen until it breaks."""
        can = welcome.capabilities
        async with asyncio.TaskGroup() as group:
            if can.HasField("watch"):
                group.create_task(self._watch())
                group.create_task(self._audit())
            else:
                group.create_task(self._poll(can.scheduling.max_staleness.ToTimedelta().total_seconds()))
            group.create_task(self._show_life())
            group.create_task(self._sweep())

    async def _watch(self) -> None:
        async with contextlib.aclosing(self._client.watch(HEARTBEAT)) as events:
            async for event in events:
                self.news.take_event(event)

    async def _audit(self) -> None:
        """List now and then, and count what Watch did not tell."""
        while True:
            await asyncio.sleep(AUDIT_EVERY)
            if self._driver.machine.fenced:
                continue
            runs = await self._client.list_runs()
            news = self.news.find_news(runs)
            await asyncio.sleep(AUDIT_GRACE)
            self.news.count_missed(news)
            if news:
                self.news.take_list(await self._client.list_runs())

    async def _poll(self, staleness: float) -> None:
        """List again and again: soon after a start or a change, later and later otherwise."""
        pause = FIRST_POLL
        while True:
            self.started.clear()
            if not self._driver.machine.fenced:
                changed = self.news.take_list(await self._client.list_runs())
                pause = FIRST_POLL if changed else min(pause * 2, LAST_POLL)
            try:
                async with asyncio.timeout(max(pause, staleness)):
                    await self.started.wait()
                pause = FIRST_POLL
                await asyncio.sleep(max(pause, staleness))
            except TimeoutError:
                continue

    async def _show_life(self) -> None:
        """Call often enough that the server knows us alive, unless our lease is over: then it must not."""
        while True:
            if not self._driver.machine.fenced:
                self.news.take_status(await self._client.read_status())
            await asyncio.sleep(self._settings.daemon_timeout / 3)

    async def _sweep(self) -> None:
        """Once it is known what the server holds, and now and then, let go of what nobody owns."""
        await self.news.whole.wait()
        while True:
            self._outputs.keep_only(self.news.keys)
            await self._preparation.sweep(frozenset(map(name_workspace, self.news.keys)))
            await asyncio.sleep(SWEEP_EVERY)
