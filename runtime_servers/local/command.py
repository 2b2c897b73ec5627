"""What a language makes of a spec: the program to start and the files it needs. Pure; starts nothing."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kruntimes.runtime.v1.types_pb2 import RunSpec
from kruntimes.server import RunError


@dataclass(frozen=True, slots=True)
class Command:
    """The first of `scripts` that is a file in the workspace runs as `shell script args`; else `program`.

    Without a program one of the scripts must be there. `files` are put into the workspace before. A program
    that is `noted` finds a file without a name at descriptor 3, in which it may leave word for its language.
    """

    shell: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    noted: bool = False

    def runs_shell(self, shell: str) -> bool:
        """True if it can have been this shell that ended."""
        return bool(self.scripts) or self.program[:1] == (shell,)


class Exit(NamedTuple):
    """A program that ended with a code that is not zero, the end of its standard error, and its note."""

    code: int
    stderr: bytes = b""
    note: bytes = b""


class Language(Protocol):
    """What a server of one language adds to this package."""

    @property
    def name(self) -> str:
        """The server's name, reverse DNS."""

    @property
    def version(self) -> str:
        """The server's version."""

    def command(self, spec: RunSpec) -> Command:
        """The program of a spec. Raises Refusal for one that can never run."""

    def judge(self, command: Command, end: Exit) -> RunError | None:
        """Why a program ended with a code that is not zero; None when there is no more to say than that."""
