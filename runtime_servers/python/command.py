"""What Python makes of a Run: files, argv, and what its runner's note means. Pure; starts nothing."""

import json
from dataclasses import dataclass
from typing import Final

from kruntimes.runtime.v1.types_pb2 import RunSpec
from kruntimes.server import ErrorKind, RetryAdvice, RunError

from runtime_servers.local.admission import refuse
from runtime_servers.local.command import Command, Exit
from runtime_servers.local.source import script_paths, source_files

# What the runner calls an exception of the loading, before any of the program's own code could fail.
SOURCE: Final = "source"


@dataclass(frozen=True, slots=True)
class Python:
    """The language of the python server: absolute paths of the interpreter and of our runner."""

    interpreter: str
    runner: str
    version: str
    name: str = "io.kruntimes.python"

    def command(self, spec: RunSpec) -> Command:
        """The program of a spec.

        With a source or an entrypoint: that file, run as `python FILE ARGS`. An entrypoint FILE:FUNCTION, or
        :FUNCTION of the source, calls the function with the arguments. With neither: `python ARGS`.
        """
        args = tuple(spec.task.args)
        file, function = _entrypoint(spec)
        scripts = script_paths(spec, file)
        if scripts:
            run = (self.interpreter, self.runner, function)
            return Command(run, scripts, args, files=source_files(spec), noted=True)
        if function:
            raise refuse(
                "spec.task.entrypoint", "names a function and no file; give a source, or FILE:FUNCTION"
            )
        if not args:
            raise refuse("spec.task", "has nothing to run: give a source, an entrypoint or arguments")
        return Command(program=(self.interpreter, *args))

    def judge(self, command: Command, end: Exit) -> RunError | None:
        """The exception that ended the program, if the runner noted one."""
        note = _read_note(end.note) if command.noted else None
        if note is None:
            return None
        kind, raised, message, trace = note
        if kind == SOURCE:
            return RunError(
                ErrorKind.USER_INPUT,
                "SOURCE_INVALID",
                f"Python cannot run the source: {raised}: {message}",
                RetryAdvice.NEVER,
                raised,
                trace,
            )
        return RunError(
            ErrorKind.USER_CODE, "UNCAUGHT_EXCEPTION", message, exception_type=raised, trace=trace
        )


def _entrypoint(spec: RunSpec) -> tuple[str, str]:
    """File and function, each empty when it is not named. Raises Refusal."""
    entrypoint = spec.task.entrypoint
    file, colon, function = entrypoint.rpartition(":")
    if not colon:
        file, function = entrypoint, ""
    elif not function.isidentifier():
        raise refuse("spec.task.entrypoint", f"is to be FILE, FILE:FUNCTION or :FUNCTION, not {entrypoint!r}")
    if file.startswith("/"):
        raise refuse(
            "spec.task.entrypoint", "must be a file of the source or the workspace, by its path there"
        )
    return file, function


def _read_note(data: bytes) -> tuple[str, str, str, str] | None:
    """Kind, type, message and trace. The program could have written anything there; that is no note."""
    try:
        note = json.loads(data)
        fields = note["kind"], note["type"], note["message"], note["trace"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return fields if all(isinstance(field, str) for field in fields) else None
