"""Writes what a Run has written, and objects, to the terminal; never asks the API server."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from kruntimes import LogPiece


def write_pieces(pieces: Iterable[LogPiece], channel: str = "") -> None:
    """Write each channel to its own stream as it comes; one that is chosen alone, to standard output."""
    for piece in pieces:
        if channel and piece.channel not in ("", channel):
            continue
        if piece.note:
            warn(piece.note)
        if piece.data:
            stream = sys.stderr if piece.channel == "stderr" and not channel else sys.stdout
            stream.flush()
            stream.buffer.write(piece.data)
            stream.buffer.flush()


def write_object(found: Mapping[str, Any], form: str) -> None:
    """Write an object as `form` wants it: json, yaml or name."""
    if form == "name":
        print(object_name(found))
    else:
        write_data(found, form)


def write_data(data: Mapping[str, Any], form: str) -> None:
    """Write plain values as json or yaml."""
    if form == "json":
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        import yaml

        # By way of JSON: YAML knows no tuples.
        print(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True), end="")


def object_name(found: Mapping[str, Any]) -> str:
    """Return an object's name with its kind, as kubectl writes it."""
    group = str(found["apiVersion"]).rpartition("/")[0]
    kind = str(found["kind"]).lower()
    return f"{kind}.{group}/{found['metadata']['name']}" if group else f"{kind}/{found['metadata']['name']}"


def warn(text: str) -> None:
    """Tell a person something that is not part of the output."""
    print(f"krt: {text}", file=sys.stderr, flush=True)
