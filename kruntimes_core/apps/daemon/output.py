"""Brings the output of Runs to this container's log, its last bytes into their results; decides nothing."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from kruntimes import frames

from kruntimes_core.apps.daemon.container_log import ContainerLog, LogStuck
from kruntimes_core.daemon.instructions import Collect, Done, Follow, Outcome, Refused
from kruntimes_core.daemon.server import Code
from kruntimes_core.daemon.shipment import TAIL_BYTES, Shipment
from kruntimes_core.model.ending import Channel
from kruntimes_core.model.events import Ended, Event
from kruntimes_core.model.identity import RunKey
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed

# What a result waits for its output at most.
COLLECT_SECONDS: Final = 15.0

E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class _Reading:
    """One attempt's output: one reader at a time."""

    shipment: Shipment = field(default_factory=Shipment)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Outputs:
    """The output of this member's Runs, until they are written and forgotten."""

    def __init__(self, client: RuntimeClient, log: ContainerLog) -> None:
        self._client = client
        self._log = log
        self._readings: dict[RunKey, _Reading] = {}
        self._tails: dict[RunKey, dict[str, bytes]] = {}

    async def follow(self, order: Follow) -> Outcome:
        """ReadOutput for as long as the Run lasts, each part to the log as it comes."""
        return await self._ship(order.key, follow=True)

    async def collect(self, order: Collect) -> Outcome:
        """ReadOutput for what neither the log nor the last snapshot holds."""
        output = order.snapshot.output
        try:
            async with asyncio.timeout(COLLECT_SECONDS):
                if order.to_log or order.key in self._readings or not _fits_tails(output.values()):
                    outcome = await self._ship(order.key, follow=False)
                    if isinstance(outcome, Done):
                        self._tails[order.key] = self._readings[order.key].shipment.tails
                    return outcome
                return await self._read_tails(order)
        except TimeoutError:
            return Refused(Code.DEADLINE_EXCEEDED, "", f"not all output was read in {COLLECT_SECONDS:g} s")

    def add_to(self, key: RunKey, event: E) -> E:
        """The event with the tails that were read, if it is the Run's end."""
        tails = self._tails.get(key)
        if tails is None or not isinstance(event, Ended):
            return event
        output = dict(event.ending.output)
        for name, tail in tails.items():
            known = output.get(name, Channel())
            output[name] = replace(known, tail=known.tail or tail)
        return replace(event, ending=replace(event.ending, output=output))

    def drop(self, key: RunKey) -> None:
        """Nobody will ask again."""
        self._tails.pop(key, None)
        self._readings.pop(key, None)

    def keep_only(self, held: Collection[RunKey]) -> None:
        """Let go of what the server holds no more."""
        for key in (self._tails.keys() | self._readings.keys()) - set(held):
            self.drop(key)

    async def _ship(self, key: RunKey, follow: bool) -> Outcome:
        reading = self._readings.setdefault(key, _Reading())
        # A follower ends by itself soon after its Run; what it could not read is left for who comes next.
        async with reading.turn:
            shipment = reading.shipment
            if shipment.is_whole:
                return Done()
            try:
                async with aclosing(self._client.read_output(key, shipment.cursors, follow)) as parts:
                    async for part in parts:
                        await self._log.write(frames.write(part))
                        shipment.take(part)
            except CallFailed as failed:
                return Refused(failed.code, failed.reason, failed.message)
            except LogStuck as stuck:
                return Refused(Code.UNAVAILABLE, "", str(stuck))
        return Done() if shipment.is_whole else Refused(Code.UNAVAILABLE, "", "the output went on no further")

    async def _read_tails(self, order: Collect) -> Outcome:
        """Read small outputs that the snapshot leaves out: a server need not send tails."""
        output = order.snapshot.output
        missing = [
            (name, max(channel.size - TAIL_BYTES, 0))
            for name, channel in output.items()
            if channel.size and not channel.tail
        ]
        if not missing:
            return Done()
        shipment = Shipment()
        try:
            async with aclosing(self._client.read_output(order.key, missing, follow=False)) as parts:
                async for part in parts:
                    shipment.take(part)
        except CallFailed as failed:
            return Refused(failed.code, failed.reason, failed.message)
        self._tails[order.key] = shipment.tails
        return Done()


def _fits_tails(channels: Collection[Channel]) -> bool:
    """Return whether the Run's status will hold all of the output."""
    return all(channel.size <= (len(channel.tail) or TAIL_BYTES) for channel in channels)
