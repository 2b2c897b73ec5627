"""Where a spec's program lies in the workspace, for languages whose programs are files. Pure."""

from typing import Final

from kruntimes.runtime.v1.types_pb2 import RunSpec

INLINE_PATH: Final = "source"


def source_path(spec: RunSpec) -> str:
    """The path of the source, which may be a directory; empty without one."""
    if spec.source.WhichOneof("origin") == "inline":
        return spec.source.inline_path or INLINE_PATH
    return spec.source.workspace_path


def source_files(spec: RunSpec) -> tuple[tuple[str, bytes], ...]:
    """The source as a file to be written, if it came in the request."""
    if spec.source.WhichOneof("origin") != "inline":
        return ()
    return ((source_path(spec), spec.source.inline.inline),)


def script_paths(spec: RunSpec, file: str) -> tuple[str, ...]:
    """Where to look for the script: `file` in the source, then in the workspace; without it the source."""
    source = source_path(spec)
    if file and source:
        return f"{source}/{file}", file
    found = file or source
    return (found,) if found else ()
