"""What a Run asks for, in the words of the runtime protocol; never reads an answer or sends anything."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from google.protobuf.duration_pb2 import Duration
from kruntimes.runtime.v1 import runtime_service_pb2 as wire
from kruntimes.runtime.v1.types_pb2 import RunKey as WireKey
from kruntimes.runtime.v1.types_pb2 import RunSpec

from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.run import Run

SOURCE_PATH: Final = "source"
# A queue time that is over still goes out as a time limit: the server then ends the Run for it.
SHORTEST: Final = 0.001


# What `_spec` fills from a field of a Run that is called otherwise.
WRITTEN_AS: Final[Mapping[str, str]] = {
    "spec.workload": "spec.mode",
    "spec.task": "spec.mode.task",
    "spec.source.workspace_path": "spec.source.inlinePath",
    "spec.execution_timeout": "spec.timeout",
    "spec.queue_timeout": "spec.queueTimeout",
    "spec.termination_grace": "spec.terminationGracePeriodSeconds",
    "spec.parameters_json": "spec.parameters",
}
_FIELD = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, WRITTEN_AS))})(?!\w)")


class BadSpec(ValueError):
    """The spec of a Run holds something that cannot be read; the message names the field."""


def to_wire(key: RunKey) -> WireKey:
    """The key of one try."""
    return WireKey(run_uid=key.uid, attempt=key.attempt)


def to_duration(seconds: float) -> Duration:
    """A length of time."""
    found = Duration()
    found.FromNanoseconds(round(seconds * 1e9))
    return found


def name_workspace(key: RunKey) -> str:
    """The name of the directory one try works in."""
    return f"{key.uid}-{key.attempt}"


def start_request(
    run: Run, digest: str, workspace: str, instance: str, now: datetime
) -> wire.StartRunRequest:
    """The whole of a Run for one server process; its source and files are in `workspace` by now."""
    return wire.StartRunRequest(
        key=to_wire(run.key),
        spec_digest=digest,
        spec=_spec(run, workspace, now),
        expected_instance_id=instance,
    )


def name_fields_as_written(message: str) -> str:
    """A server's complaint about a request, with the fields named as the author of the Run wrote them."""
    return _FIELD.sub(lambda found: WRITTEN_AS[found[0]], message)


def _spec(run: Run, workspace: str, now: datetime) -> RunSpec:
    given = run.spec
    found = RunSpec(namespace=run.namespace, name=run.name, priority=run.priority)
    task = (given.get("mode") or {}).get("task") or {}
    found.task.entrypoint = task.get("entrypoint", "")
    found.task.args.extend(task.get("args") or ())
    if source := given.get("source"):
        found.source.workspace_path = source.get("inlinePath") or SOURCE_PATH
    found.workspace.path = workspace
    found.env.update({entry["name"]: entry.get("value", "") for entry in given.get("env") or ()})
    found.resources.requests.update(run.requests)
    found.resources.limits.update(run.limits)
    limits = {
        "execution_timeout": run.timeout,
        "queue_timeout": _queue_left(run, now),
        "termination_grace": run.grace,
    }
    for field, seconds in limits.items():
        if seconds is not None:
            getattr(found, field).CopyFrom(to_duration(seconds))
    found.stdin = given.get("stdin", "").encode()
    found.parameters_json = encode_parameters(given)
    return found


def _queue_left(run: Run, now: datetime) -> float | None:
    if run.queue_timeout is None:
        return None
    waited = (now - (run.queued or run.created)).total_seconds()
    return max(run.queue_timeout - waited, SHORTEST)


def encode_parameters(spec: Mapping[str, Any]) -> str:
    """The parameters of a Run as JSON text; empty when it has none."""
    parameters = spec.get("parameters")
    return msgspec.json.encode(parameters).decode() if parameters else ""


def list_files(spec: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Path and content of everything a Run brings along, its source first; BadSpec for bad base64."""
    source = spec.get("source") or {}
    if "inline" in source:
        yield source.get("inlinePath") or SOURCE_PATH, source["inline"].encode()
    for file in spec.get("files") or ():
        if "base64" not in file:
            yield file["path"], file.get("text", "").encode()
            continue
        try:
            yield file["path"], base64.b64decode(file["base64"], validate=True)
        except binascii.Error as error:
            raise BadSpec(f"spec.files: {file['path']!r} is not base64 ({error})") from None
