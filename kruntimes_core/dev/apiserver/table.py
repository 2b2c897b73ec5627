"""Objects as the table that kubectl prints; it never selects them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver.cells import cell
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.apiserver.resources import Object, Resource
from kruntimes_core.dev.apiserver.store import Entry, encode
from kruntimes_core.dev.apiserver.watch import Render, line


@dataclass(frozen=True)
class Look:
    """How much of each object a table carries, and the time its ages are counted from."""

    part: str
    now: datetime.datetime


def wanted(request: web.BaseRequest) -> str | None:
    """Whether a table is asked for, and with how much of each object: Metadata, Object or None."""
    accept = request.headers.get("Accept", "")
    if "as=Table" not in accept or "as=Table" not in accept.split(",")[0]:
        return None
    return request.query.get("includeObject") or "Metadata"


def _definitions(resource: Resource) -> list[Object]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or f"{column.name} of the {resource.kind}",
            "priority": column.priority,
        }
        for column in resource.columns
    ]


def _row(resource: Resource, entry: Entry, look: Look) -> Object:
    cells = [cell(column, entry.obj, look.now) for column in resource.columns]
    row: dict[str, Any] = {"cells": cells}
    if look.part == "Object":
        row["object"] = resource.shown(entry.obj)
    elif look.part == "Metadata":
        envelope = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        row["object"] = envelope | {"metadata": entry.obj["metadata"]}
    return row


def of_entries(resource: Resource, entries: list[Entry], metadata: Mapping[str, object], look: Look) -> bytes:
    """A table of these objects."""
    return encode(
        {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata or {"resourceVersion": entries[0].obj["metadata"]["resourceVersion"]},
            "columnDefinitions": _definitions(resource),
            "rows": [_row(resource, entry, look) for entry in entries],
        }
    )


def watch_rendering(request: web.BaseRequest, ask: Ask, clock: Clock) -> Render | None:
    """How a watch shows its events as tables, if it is to; the columns are told once."""
    part = wanted(request)
    if part is None:
        return None
    definitions: list[Object] | None = _definitions(ask.resource)

    def render(kind: str, entry: Entry) -> bytes:
        nonlocal definitions
        version = {"resourceVersion": entry.obj["metadata"]["resourceVersion"]}
        body = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": version}
        rows = [_row(ask.resource, entry, Look(part, clock.now().wall))]
        told, definitions = definitions, None
        return line(kind, encode(body | {"columnDefinitions": told, "rows": rows}))

    return render
