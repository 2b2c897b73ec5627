"""Reads what the scheduler would look at, over the SDK's client, into its own nouns; it decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from kruntimes import Client
from kruntimes._wire import Request

from kruntimes_core.kube.codec import RUNTIME_LABEL, decode_member, decode_run, decode_runtime
from kruntimes_core.kube.kinds import LEASE, RUN, RUNTIME, Kind
from kruntimes_core.model.run import TERMINAL
from kruntimes_core.scheduling.snapshot import Snapshot

PAGE = "500"
# Runs that have ended hold nothing and wait for nothing, and are most of all.
NOT_ENDED = ",".join(f"status.phase!={phase}" for phase in sorted(TERMINAL))

T = TypeVar("T")


def read_snapshot(client: Client, namespace: str, runtime: str = "") -> Snapshot:
    """Read all of a namespace, or of one of its Runtimes; no namespace means all of them."""
    fields = f"spec.runtime={runtime},{NOT_ENDED}" if runtime else NOT_ENDED
    labels = f"{RUNTIME_LABEL}={runtime}" if runtime else RUNTIME_LABEL
    only = {"fieldSelector": f"metadata.name={runtime}"} if runtime else {}

    def every(kind: Kind, query: Mapping[str, str], decode: Callable[[bytes], T]) -> tuple[T, ...]:
        return tuple(
            decode(msgspec.json.encode(item)) for item in list_objects(client, kind, namespace, query)
        )

    return Snapshot(
        runs=every(RUN, {"fieldSelector": fields}, decode_run),
        members=every(LEASE, {"labelSelector": labels}, decode_member),
        runtimes=every(RUNTIME, only, decode_runtime),
    )


def list_objects(
    client: Client, kind: Kind, namespace: str, query: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a collection, page by page, each with the kind that lists leave out."""
    more = ""
    while True:
        page = {**query, "limit": PAGE} | ({"continue": more} if more else {})
        answer = client.ask(Request("GET", kind.path(namespace), page))
        for item in answer.get("items") or ():
            yield {**item, "apiVersion": kind.api_version, "kind": kind.name}
        more = str(answer["metadata"].get("continue") or "")
        if not more:
            return
