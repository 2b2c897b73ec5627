"""Builders for what the suite knows of a server."""

from typing import Any

from kruntimes.conformance.needs import Facts
from kruntimes.conformance.pack import Pack
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1.runtime_service_pb2 import HandshakeResponse
from kruntimes.runtime.v1.types_pb2 import RunSpec

EVERYTHING = cap.Capabilities(
    scheduling=cap.SchedulingCapability(
        mode=cap.SCHEDULING_MODE_LOCAL, capacity_model=cap.CAPACITY_MODEL_FIXED
    ),
    watch=cap.WatchCapability(),
    output=cap.OutputCapability(live=True),
    drain=cap.DrainCapability(),
    workload=cap.WorkloadCapability(graceful_stop=True),
)


def make_hello(can: cap.Capabilities = EVERYTHING) -> HandshakeResponse:
    return HandshakeResponse(server="test", server_version="1", feature_level=1, capabilities=can)


def make_pack(*names: str, **fields: Any) -> Pack:
    return Pack({name: RunSpec() for name in names or ("noop",)}, fields.get("cannot", {}), frozenset())


def make_facts(**fields: Any) -> Facts:
    known = {
        "hello": make_hello(),
        "pack": make_pack(),
        "abilities": frozenset[str](),
        "fresh": False,
        "socket": True,
        "token": True,
    }
    return Facts(**{**known, **fields})
