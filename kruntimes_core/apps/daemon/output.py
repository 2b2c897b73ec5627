"""Fetches the last bytes of a Run's output where its last snapshot left them out; keeps nothing else."""

from dataclasses import replace
from typing import Final, TypeVar

from kruntimes_core.daemon.instructions import Collect, Done, Outcome, Refused
from kruntimes_core.model.ending import Channel
from kruntimes_core.model.events import Ended, Event
from kruntimes_core.model.identity import RunKey
from kruntimes_core.rpc.client import RuntimeClient
from kruntimes_core.rpc.errors import CallFailed
from kruntimes_core.rpc.requests import to_wire

TAIL_BYTES: Final = 4096

E = TypeVar("E", bound=Event)


class Tails:
    """The ends of output that had to be read, until they are written."""

    def __init__(self, client: RuntimeClient) -> None:
        self._client = client
        self._read: dict[RunKey, dict[str, bytes]] = {}

    async def collect(self, order: Collect) -> Outcome:
        """ReadOutput, if the snapshot does not hold it already."""
        output = order.snapshot.output
        missing = [name for name, channel in output.items() if channel.size and not channel.tail]
        if missing:
            cursors = [(name, max(output[name].size - TAIL_BYTES, 0)) for name in missing]
            try:
                self._read[order.key] = await self._client.read_output(to_wire(order.key), cursors)
            except CallFailed as failed:
                return Refused(failed.code, failed.reason, failed.message)
        return Done()

    def add_to(self, key: RunKey, event: E) -> E:
        """The event with these tails, if it is the Run's end."""
        tails = self._read.get(key)
        if tails is None or not isinstance(event, Ended):
            return event
        output = dict(event.ending.output)
        output |= {name: replace(output.get(name, Channel()), tail=tail) for name, tail in tails.items()}
        return replace(event, ending=replace(event.ending, output=output))

    def drop(self, key: RunKey) -> None:
        """Nobody will ask again."""
        self._read.pop(key, None)
