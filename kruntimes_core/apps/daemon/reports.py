"""Carries out the writes a Run needs in the API, and says how each went; decides nothing."""

import asyncio
from typing import Final

from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.daemon.instructions import Outcome, Rejected, Superseded, Unwritten, Write, Written
from kruntimes_core.kube import writes
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError, BadRequest, Invalid
from kruntimes_core.kube.events import Recorder
from kruntimes_core.model.events import Delivered, Started
from kruntimes_core.model.notices import notice_of

# Writes under way at once; more would only wait inside the API server.
AT_ONCE: Final = 32


class Reports:
    """The API's side of every Run."""

    def __init__(self, client: Client, recorder: Recorder, outputs: Outputs) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = recorder.clock
        self._outputs = outputs
        self._places = asyncio.Semaphore(AT_ONCE)

    async def write(self, order: Write) -> Outcome:
        """Write one event, fenced."""
        async with self._places:
            outcome = await self._write(order)
        if isinstance(outcome, Written):
            self._recorder.tell(notice_of(order.run, order.event))
        last = not isinstance(order.event, Delivered | Started)
        if isinstance(outcome, Superseded) or (last and isinstance(outcome, Written)):
            self._outputs.drop(order.key)
        return outcome

    async def _write(self, order: Write) -> Outcome:
        event = self._outputs.add_to(order.key, order.event)
        try:
            version = await writes.write_fenced(self._client, order.run, event, self._clock.now().wall)
        except writes.Superseded:
            return Superseded()
        except (BadRequest, Invalid) as error:
            return Rejected(str(error))
        except ApiError as error:
            # Whether it was written is open; writing it again does no harm.
            return Unwritten(str(error))
        return Written(version)
