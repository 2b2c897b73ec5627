"""How many requests an API server has answered: the embedded one's own count, or a real one's audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from kruntimes_core.kube.client import Client, Request

WRITES = ("create", "update", "patch", "delete")
_TOTAL = re.compile(rb"^apiserver_request_total\{[^}]*\} (\S+)$", re.MULTILINE)


class Meter(Protocol):
    """Counts at one API server, from its start on."""

    async def writes_on_runs(self) -> int:
        """Return the writes on Runs, their status included."""

    async def requests(self) -> int:
        """Return all requests that were answered; asking is one of them."""


@dataclass(frozen=True)
class OwnCount:
    """The embedded server counts by itself."""

    client: Client

    async def writes_on_runs(self) -> int:
        """Return the writes on Runs, their status included."""
        rows = await self._rows()
        return sum(
            count for verb, resource, count in rows if verb in WRITES and "runs" in resource.split("/")
        )

    async def requests(self) -> int:
        """Return all requests that were answered; asking is one of them."""
        return sum(count for _, _, count in await self._rows())

    async def _rows(self) -> list[tuple[str, str, int]]:
        body = msgspec.json.decode(await self.client.send(Request("GET", "/debug/requests")))
        return [(row["verb"], row["resource"], row["count"]) for row in body["requests"]]


@dataclass(frozen=True)
class AuditLog:
    """A real server writes down each write on a Run, and counts everything in its metrics."""

    client: Client
    path: Path

    async def writes_on_runs(self) -> int:
        """Return the writes on Runs, their status included."""
        return sum(1 for entry in self._entries() if entry["verb"] in WRITES)

    async def requests(self) -> int:
        """Return all requests that were answered; asking is one of them."""
        metrics = await self.client.send(Request("GET", "/metrics"))
        return round(sum(float(value) for value in _TOTAL.findall(metrics)))

    def _entries(self) -> Iterator[dict[str, str]]:
        # What has no line end yet is still being written.
        for line in self.path.read_bytes().split(b"\n")[:-1]:
            yield json.loads(line)


def meter_of(client: Client, data: Path, *, real: bool) -> Meter:
    """Return the meter of the API server that keeps its files in `data`."""
    return AuditLog(client, data / "audit.log") if real else OwnCount(client)
