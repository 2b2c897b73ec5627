"""Whether a check can be run on a server, from what it says of itself and what the pack gives. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from kruntimes.conformance.catalogue import Check, Manner
from kruntimes.conformance.pack import PROVISIONS, Pack
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1.runtime_service_pb2 import HandshakeResponse


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides: the answer of Handshake, the pack, and what can be done to the server."""

    hello: HandshakeResponse
    pack: Pack
    abilities: frozenset[str]
    fresh: bool
    socket: bool
    token: bool

    @property
    def can(self) -> cap.Capabilities:
        """What the server says it can do."""
        return self.hello.capabilities


class Lack(NamedTuple):
    """Why a check is not run. `skipped`: the server does not offer it; else the suite lacks something."""

    skipped: bool
    why: str


_OFFERED: Final[Mapping[str, Callable[[cap.Capabilities], bool]]] = {
    "watch": lambda can: can.HasField("watch"),
    "output": lambda can: can.HasField("output"),
    "output.live": lambda can: can.output.live,
    "watch or output": lambda can: can.HasField("watch") or can.HasField("output"),
    "drain": lambda can: can.HasField("drain"),
    "graceful_stop": lambda can: can.workload.graceful_stop,
    "LOCAL": lambda can: can.scheduling.mode == cap.SCHEDULING_MODE_LOCAL,
    "FIXED": lambda can: can.scheduling.capacity_model == cap.CAPACITY_MODEL_FIXED,
}
_ABILITIES: Final = {
    "launch": "needs --launch, or a server that this suite may end",
    "restart hook": "needs --restart-hook or --launch",
    "process hook": "needs --process-hook, or --launch on Linux",
}


def lacking(check: Check, facts: Facts) -> Lack | None:
    """What keeps a written check from being run; None when nothing does."""
    for need in check.needs:
        if (lack := _lack_of(need, facts)) is not None:
            return lack
    for name in check.fixtures:
        if why := facts.pack.lacks(name):
            return Lack(True, why)
    if check.manner is Manner.OWN and not facts.fresh:
        return Lack(False, "would end the server for others; needs --launch")
    return None


def _lack_of(need: str, facts: Facts) -> Lack | None:
    if need in _OFFERED:
        return None if _OFFERED[need](facts.can) else Lack(True, f"the server does not offer {need}")
    if need in PROVISIONS:
        return None if need in facts.pack.provides else Lack(True, f"the pack does not provide {need}")
    if need in _ABILITIES:
        return None if need in facts.abilities else Lack(False, _ABILITIES[need])
    if need == "socket":
        return None if facts.socket else Lack(True, "the address is no socket")
    if need == "token set":
        return None if facts.token else Lack(False, "needs --token-file")
    raise ValueError(f"no rule says when there is {need!r}")
