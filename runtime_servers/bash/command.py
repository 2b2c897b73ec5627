"""What bash makes of a Run: files, argv, and what its complaints mean. Pure; starts nothing."""

import re
from dataclasses import dataclass
from typing import Final

from kruntimes.runtime.v1.types_pb2 import RunSpec
from kruntimes.server import ErrorKind, RetryAdvice, RunError

from runtime_servers.local.admission import refuse
from runtime_servers.local.command import Command, Exit
from runtime_servers.local.source import script_paths, source_files

_SYNTAX_ERROR: Final = 2
_CANNOT_EXECUTE: Final = 126


@dataclass(frozen=True, slots=True)
class Bash:
    """The language of the bash server; `shell` is the absolute path of the shell."""

    shell: str
    name: str = "io.kruntimes.bash"
    version: str = "0.1.0"

    def command(self, spec: RunSpec) -> Command:
        """The program of a spec.

        With an entrypoint: that file of the source or the workspace, run by bash; without a source also a
        program of that name. Without one: the source file, run by bash. With neither: one argument is shell
        text, several are a program and its arguments.
        """
        args = tuple(spec.task.args)
        scripts = script_paths(spec, spec.task.entrypoint)
        if spec.task.entrypoint.startswith("/"):  # a program, never a file of the workspace
            return Command(program=(spec.task.entrypoint, *args), files=source_files(spec))
        if scripts:
            program = () if spec.HasField("source") else (spec.task.entrypoint, *args)
            return Command((self.shell, "--"), scripts, args, program, files=source_files(spec))
        if not args:
            raise refuse("spec.task", "has nothing to run: give a source, an entrypoint or arguments")
        program = (self.shell, "-c", "--", args[0]) if len(args) == 1 else args
        if not program[0]:
            raise refuse("spec.task.args", "begin with an empty string, which is no program")
        return Command(program=program)

    def judge(self, command: Command, end: Exit) -> RunError | None:
        """The source did not load, if bash's own last words say so; None if the program failed by itself.

        Looked for afterwards and not by `bash -n` ahead: that costs every Run a process, and is wrong about
        sources that are right, such as one that turns extglob on and then uses it, or an archive that ends in
        binary data after `exit`. Bash stops at the first thing it cannot parse, with this code and after
        these words, so its last lines tell; in another locale the end is reported as the exit code it is.
        """
        if end.code not in (_SYNTAX_ERROR, _CANNOT_EXECUTE) or not command.runs_shell(self.shell):
            return None
        lines = end.stderr.decode(errors="replace").rstrip("\n").split("\n")[-_LAST_LINES:]
        names = "|".join(re.escape(name) for name in (*command.scripts, f"{self.shell}: -c"))
        complaint = re.compile(_COMPLAINTS[end.code].format(names=names))
        said = next((line for line in lines if complaint.match(line)), None)
        if said is None:
            return None
        return RunError(
            ErrorKind.USER_INPUT, "SOURCE_INVALID", f"Bash cannot read the source: {said}", RetryAdvice.NEVER
        )


_LAST_LINES: Final = 3
_COMPLAINTS: Final = {
    _SYNTAX_ERROR: r"(?:{names}): line \d+: (?:syntax error|unexpected )",
    _CANNOT_EXECUTE: r"(?:{names}): (?:{names}): cannot execute binary file",
}
