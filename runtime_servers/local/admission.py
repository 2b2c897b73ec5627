"""Whether a Run can run on this machine: start, or refuse. Pure; what is free is in the kit's books."""

import hashlib
from collections.abc import Collection
from pathlib import PurePosixPath

from kruntimes.runtime.v1.types_pb2 import RunSpec
from kruntimes.server import Code, Refusal


def refuse(field: str, why: str) -> Refusal:
    """The refusal of a spec whose `field` cannot be had."""
    return Refusal(Code.INVALID_ARGUMENT, "FIELD_INVALID", f"{field} {why}")


def admit(spec: RunSpec, roots: Collection[str]) -> None:
    """Raise Refusal for a spec that no slot here could ever run; `roots` are names of one directory."""
    if spec.HasField("workspace"):
        find_workspace(spec.workspace.path, roots)
    if spec.source.WhichOneof("origin") == "inline" and spec.source.digest:
        found = hashlib.sha256(spec.source.inline.inline).hexdigest()
        if spec.source.digest != f"sha256:{found}":
            raise refuse("spec.source.digest", f"is not that of the source, which is sha256:{found}")


def find_workspace(path: str, roots: Collection[str]) -> str:
    """The workspace relative to the directory of all workspaces. Raises Refusal if it lies elsewhere."""
    for root in roots:
        if PurePosixPath(path).is_relative_to(root):
            relative = PurePosixPath(path).relative_to(root)
            if relative.parts and not relative.parts[0].startswith(".") and ".." not in relative.parts:
                return str(relative)
    if not roots:
        raise refuse(
            "spec.workspace", "is given, and this server shares no directory: set KRUNTIMES_WORKSPACES"
        )
    raise refuse("spec.workspace.path", f"must name a directory inside {min(roots, key=len)}")
