"""Whether a RunSpec is sound here: bounds, abilities, paths, amounts, settings. Starts nothing."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from google.protobuf.duration_pb2 import Duration

from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.runtime.v1.capabilities_pb2 import Capabilities, SourceKind
from kruntimes.server.author import Description, Refusal
from kruntimes.server.bounds import MAP_BYTES, NAME_BYTES, ONE_STRING_BYTES, PATH_BYTES, Bounds
from kruntimes.server.machine import Terms
from kruntimes.server.refusals import refusal
from kruntimes.server.settings import Settings

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_KINDS: Final[Mapping[str, SourceKind.ValueType]] = {
    "inline": SourceKind.SOURCE_KIND_INLINE,
    "workspace_path": SourceKind.SOURCE_KIND_WORKSPACE,
    "uri": SourceKind.SOURCE_KIND_URI,
}


class SpecChecks:
    """The checks of one server; made once from its description."""

    def __init__(self, description: Description, bounds: Bounds) -> None:
        self._can = description.capabilities
        self._bounds = bounds
        self._grace = description.termination_grace
        self._resources = frozenset(one.name for one in self._can.scheduling.resources)
        self._parameters = Settings(description.parameters_schema, "PARAMETERS_INVALID")

    def terms(self, spec: pb.RunSpec, digest: str) -> Terms:
        """Refuse an unsound spec, else say what acceptance promises."""
        if not 0 < len(digest) <= NAME_BYTES:
            raise _bad("spec_digest", f"must hold 1 to {NAME_BYTES} characters")
        _check_names(spec)
        _check_workload(spec, self._can)
        _check_environment(spec, self._can, self._bounds)
        if spec.HasField("source"):
            _check_source(spec.source, self._can, self._bounds)
        if spec.attachments:
            _check_attachments(spec.attachments, self._can, self._bounds)
        if spec.HasField("workspace"):
            _check_workspace(spec.workspace.path)
        if spec.parameters_json:
            self._parameters.parse(spec.parameters_json)
        return Terms(
            requests=self._requests(spec.resources),
            grace=_seconds(spec, "termination_grace", 0)
            if spec.HasField("termination_grace")
            else self._grace,
            execution_timeout=_limit(spec, "execution_timeout"),
            queue_timeout=_limit(spec, "queue_timeout"),
        )

    def _requests(self, resources: pb.Resources) -> Mapping[str, int]:
        requests = dict(resources.requests)
        for name, amount in chain(requests.items(), resources.limits.items()):
            if name not in self._resources:
                known = ", ".join(sorted(self._resources)) or "none"
                raise refusal("RESOURCE_UNKNOWN", name=name[:NAME_BYTES], known=known)
            if amount < 0:
                raise _bad(f"spec.resources {name}", "is negative")
        for name, amount in resources.limits.items():
            if amount < requests.get(name, 0):
                raise _bad(f"spec.resources.limits {name}", "is less than the request")
        return requests


def seconds(duration: Duration) -> float:
    """A Duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def _bad(field: str, why: str) -> Refusal:
    return refusal("FIELD_INVALID", field=field, why=why)


def _not_offered(field: str, what: str) -> Refusal:
    return refusal("NOT_OFFERED", field=field, what=what)


def _seconds(spec: pb.RunSpec, name: str, least: float) -> float:
    value = seconds(getattr(spec, name))
    if value < least:
        raise _bad(f"spec.{name}", f"is {value} s; it must be {least} s or more")
    return value


def _limit(spec: pb.RunSpec, name: str) -> float | None:
    if not spec.HasField(name):  # type: ignore[arg-type]  # both callers name a Duration field
        return None
    value = _seconds(spec, name, 0)
    if value == 0:
        raise _bad(f"spec.{name}", "is zero; leave it out for no limit")
    return value


def _check_names(spec: pb.RunSpec) -> None:
    for field, text in (
        ("spec.namespace", spec.namespace),
        ("spec.name", spec.name),
        ("spec.isolation", spec.isolation),
    ):
        if len(text.encode()) > NAME_BYTES:
            raise _bad(field, f"holds more than {NAME_BYTES} bytes")
    if spec.labels and _bytes(chain.from_iterable(spec.labels.items())) > MAP_BYTES:
        raise _bad("spec.labels", f"hold more than {MAP_BYTES} bytes together")
    if spec.output_policy.max_bytes < 0:
        raise _bad("spec.output_policy.max_bytes", "is negative")


def _check_workload(spec: pb.RunSpec, can: Capabilities) -> None:
    workload = spec.WhichOneof("workload")
    if workload is None:
        raise _bad("spec.workload", "is missing; set spec.task")
    if workload == "task" and not can.workload.task:
        raise _not_offered("spec.task", "a task")
    if spec.artifact_uri_prefix and not can.artifact.uri:
        raise _not_offered("spec.artifact_uri_prefix", "artifacts by URI")
    if spec.isolation and spec.isolation not in can.isolation.levels:
        levels = ", ".join(can.isolation.levels) or "none"
        raise refusal("ISOLATION_UNAVAILABLE", level=spec.isolation, levels=levels)


def _check_environment(spec: pb.RunSpec, can: Capabilities, bounds: Bounds) -> None:
    if spec.stdin:
        if not can.workload.stdin:
            raise _not_offered("spec.stdin", "standard input")
        if len(spec.stdin) > bounds.stdin:
            raise _bad("spec.stdin", f"holds {len(spec.stdin)} bytes; {bounds.stdin} are taken")
    if spec.secret_env and not can.workload.secrets:
        raise _not_offered("spec.secret_env", "secrets")
    if twice := set(spec.secret_env) & set(spec.env):
        raise _bad(f"spec.env {min(twice)}", "is in spec.secret_env too")
    _check_strings(spec, bounds)
    if len(spec.task.entrypoint.encode()) > PATH_BYTES or "\0" in spec.task.entrypoint:
        raise _bad("spec.task.entrypoint", f"must stay within {PATH_BYTES} bytes and hold no NUL byte")


def _check_strings(spec: pb.RunSpec, bounds: Bounds) -> None:
    """Linux takes no NUL byte and no string of 128 KiB in a program's arguments and environment."""
    for name in chain(spec.env, spec.secret_env):
        if not name or "=" in name:
            raise _bad("spec.env", f"has the name {name[:NAME_BYTES]!r}; a name is not empty and has no '='")
    strings = [*spec.task.args, *chain.from_iterable(spec.env.items())]
    strings.extend(chain.from_iterable(spec.secret_env.items()))
    for text in strings:
        if "\0" in text:
            raise _bad("spec.task.args and spec.env", "must not hold a NUL byte")
        if len(text.encode()) >= ONE_STRING_BYTES:
            raise _bad("spec.task.args and spec.env", f"must stay under {ONE_STRING_BYTES} bytes each")
    if (size := _bytes(strings)) > bounds.args_env:
        raise _bad("spec.task.args and spec.env", f"hold {size} bytes together; {bounds.args_env} are taken")


def _check_source(source: pb.Source, can: Capabilities, bounds: Bounds) -> None:
    origin = source.WhichOneof("origin")
    if origin is None:
        raise _bad("spec.source", "has no origin; set inline, workspace_path or uri")
    if _KINDS[origin] not in can.workload.sources:
        raise _not_offered(f"spec.source.{origin}", "this kind of source")
    if source.digest and not _DIGEST.match(source.digest):
        raise _bad("spec.source.digest", "must have the form sha256:HEX")
    if source.inline_path:
        _check_path("spec.source.inline_path", source.inline_path)
    if origin == "inline":
        _check_inline("spec.source.inline", source.inline, bounds)
    elif origin == "workspace_path":
        _check_path("spec.source.workspace_path", source.workspace_path)
    else:
        _check_uri("spec.source.uri", source.uri, can)


def _check_attachments(attachments: Iterable[pb.Attachment], can: Capabilities, bounds: Bounds) -> None:
    if not can.workload.attachments:
        raise _not_offered("spec.attachments", "attachments")
    names: set[str] = set()
    for one in attachments:
        if not one.name or one.name in names or len(one.name.encode()) > NAME_BYTES:
            raise _bad("spec.attachments", f"need names of 1 to {NAME_BYTES} bytes, each once")
        names.add(one.name)
        field = f"spec.attachments {one.name}"
        if one.secret and not can.workload.secrets:
            raise _not_offered(field, "secrets")
        _check_path(field, one.path)
        location = one.content.WhichOneof("location")
        if location == "uri":
            _check_uri(field, one.content.uri, can)
        elif location == "workspace_path":
            _check_path(field, one.content.workspace_path)
        else:
            _check_inline(field, one.content, bounds)


def _check_inline(field: str, payload: pb.Payload, bounds: Bounds) -> None:
    if payload.WhichOneof("location") != "inline":
        raise _bad(field, "must carry its bytes inline")
    if len(payload.inline) > bounds.inline:
        raise _bad(field, f"holds {len(payload.inline)} bytes; {bounds.inline} are taken")
    if payload.digest and not _DIGEST.match(payload.digest):
        raise _bad(f"{field} digest", "must have the form sha256:HEX")


def _check_uri(field: str, uri: str, can: Capabilities) -> None:
    if len(uri.encode()) > PATH_BYTES:
        raise _bad(field, f"holds more than {PATH_BYTES} bytes")
    scheme = uri.partition(":")[0]
    if scheme not in can.workload.uri_schemes:
        raise _not_offered(field, f"the URI scheme {scheme[:32]!r}")


def _check_path(field: str, path: str) -> None:
    """A relative path that names something inside the workspace; links are the author's to refuse."""
    if not path or len(path.encode()) > PATH_BYTES or "\0" in path:
        raise _bad(field, f"must be a path of 1 to {PATH_BYTES} bytes without NUL")
    if path.startswith("/") or ".." in path.split("/"):
        raise _bad(field, "must be relative and must not leave the workspace by '..'")


def _check_workspace(path: str) -> None:
    if len(path.encode()) > PATH_BYTES or "\0" in path or not path.startswith("/") or ".." in path.split("/"):
        raise _bad(
            "spec.workspace.path", f"must be an absolute path of at most {PATH_BYTES} bytes without '..'"
        )


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)
