"""Writes what a Run has written, and objects, to the terminal; never asks the API server."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from kruntimes import Output, Result


def write_result(result: Result) -> None:
    """Write each channel to its own stream, and say so when it is not all of it."""
    for name, output, stream in (
        ("stdout", result.stdout, sys.stdout),
        ("stderr", result.stderr, sys.stderr),
    ):
        stream.flush()
        stream.buffer.write(output)
        stream.buffer.flush()
        if output.truncated or output.size > len(output):
            warn(f"{name} was {_bytes(output)}; only its last {len(output)} bytes are kept")


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


def _bytes(output: Output) -> str:
    return f"{output.size} bytes"
