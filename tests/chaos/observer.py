"""What one observer sees of the Runs of a scenario through its own watch; it changes none of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Event, Reflector, Selection
from tests.chaos.verdict import TERMINAL_PHASES, Fate


class Channel(msgspec.Struct, rename="camel"):
    """The end of what a Run printed."""

    tail: str = ""


class Output(msgspec.Struct):
    """What is kept of a Run's output."""

    stdout: Channel = msgspec.field(default_factory=Channel)


class Status(msgspec.Struct, rename="camel"):
    """The part of a status that a terminal Run must never change again."""

    phase: str = "Pending"
    attempt: int = 0
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    completion_time: str = ""
    assigned_pod: str = ""
    output: Output = msgspec.field(default_factory=Output)


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A Run, as far as the verdict needs it."""

    namespace: str
    name: str
    uid: str
    version: str
    status: Status


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    resource_version: str


class _Run(msgspec.Struct):
    metadata: _Metadata
    status: Status = msgspec.field(default_factory=Status)


_decode = msgspec.json.Decoder(_Run).decode


def decode_run(raw: msgspec.Raw | bytes) -> SeenRun:
    """Return a Run from its JSON."""
    run = _decode(raw)
    metadata = run.metadata
    return SeenRun(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version, run.status)


@dataclass
class Observer:
    """Follows all Runs; wakes whoever waits for a condition on them."""

    client: Client
    last: dict[str, SeenRun] = field(default_factory=dict)
    ends: dict[str, Status] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Follow until cancelled."""
        await Reflector(self.client, Selection(RUN), decode_run, self._tell).run()

    def phases(self) -> Counter[str]:
        """Count the Runs by phase, as last seen."""
        return Counter(seen.status.phase for seen in self.last.values())

    def in_phase(self, phase: str) -> list[SeenRun]:
        """Return the Runs of one phase, as last seen."""
        return [seen for seen in self.last.values() if seen.status.phase == phase]

    def fate(self, uid: str) -> Fate:
        """Return what became of an acknowledged Run."""
        seen = self.last.get(uid)
        if seen is None or uid in self.gone:
            return Fate(uid, None, "", False)
        return Fate(uid, seen.status.phase, seen.status.reason, uid in self.rewritten)

    async def until(self, condition: Callable[[], bool], stillness: float) -> bool:
        """Wait until `condition` holds; False when nothing at all changed for `stillness` seconds before."""
        while not condition():
            self._changed.clear()
            try:
                async with asyncio.timeout(stillness):
                    await self._changed.wait()
            except TimeoutError:
                return condition()
        return True

    def _tell(self, events: Sequence[Event[SeenRun]]) -> None:
        for event in events:
            if isinstance(event, Changed):
                self._note(event.object)
            elif isinstance(event, Gone):
                self.gone.add(event.object.uid)
        self._changed.set()

    def _note(self, seen: SeenRun) -> None:
        uid = seen.uid
        self.last[uid] = seen
        if uid in self.ends and self.ends[uid] != seen.status:
            self.rewritten.add(uid)
        elif seen.status.phase in TERMINAL_PHASES:
            self.ends[uid] = seen.status
