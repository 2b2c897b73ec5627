"""What bash makes of a Run, and of its own complaints."""

import pytest
from kruntimes.runtime.v1.types_pb2 import Payload, RunSpec, Source, TaskWorkload
from kruntimes.server import Refusal

from runtime_servers.bash.command import Bash
from runtime_servers.local.command import Command, Exit

BASH = Bash("/bin/bash")
RUN = ("/bin/bash", "--")
THERE = Source(workspace_path="src")
HERE = Source(inline=Payload(inline=b"echo"))


def spec(*args: str, entrypoint: str = "", source: Source | None = None) -> RunSpec:
    return RunSpec(task=TaskWorkload(entrypoint=entrypoint, args=args), source=source)


COMMANDS = {
    "shell text": (spec("a b"), Command(program=("/bin/bash", "-c", "--", "a b"))),
    "a program": (spec("a", "b"), Command(program=("a", "b"))),
    "a source": (spec("a", source=THERE), Command(RUN, ("src",), ("a",))),
    "a file of a source": (spec("a", entrypoint="e", source=THERE), Command(RUN, ("src/e", "e"), ("a",))),
    "a file or a program": (spec("a", entrypoint="e"), Command(RUN, ("e",), ("a",), ("e", "a"))),
    "a program by its path": (spec("a", entrypoint="/bin/e", source=THERE), Command(program=("/bin/e", "a"))),
    "a source in the request": (
        spec("a", source=HERE),
        Command(RUN, ("source",), ("a",), files=(("source", b"echo"),)),
    ),
    "a source in the request with a path": (
        spec(source=Source(inline=Payload(inline=b"x"), inline_path="d/s.sh")),
        Command(RUN, ("d/s.sh",), files=(("d/s.sh", b"x"),)),
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_started(name: str) -> None:
    given, want = COMMANDS[name]
    assert BASH.command(given) == want


@pytest.mark.parametrize("args", [(), ("", "x")])
def test_nothing_to_run_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(Refusal):
        BASH.command(spec(*args))


SOURCE = BASH.command(spec(source=THERE))
TEXT = BASH.command(spec("text"))
PROGRAM = BASH.command(spec("grep", "x"))
WORDS = b"src: line 3: syntax error near unexpected token `)'\nsrc: line 3: `)'\n"
JUDGED = {
    "a syntax error": (SOURCE, 2, WORDS, True),
    "the same after other words": (SOURCE, 2, b"warning\n" * 50 + WORDS, True),
    "an end that comes too soon": (
        SOURCE,
        2,
        b"src: line 9: unexpected EOF while looking for matching `\"'\n",
        True,
    ),
    "the end of a file": (SOURCE, 2, b"src: line 9: syntax error: unexpected end of file\n", True),
    "shell text": (TEXT, 2, b"/bin/bash: -c: line 1: syntax error: unexpected end of file\n", True),
    "no text": (SOURCE, 126, b"src: src: cannot execute binary file\n", True),
    "another code": (SOURCE, 1, WORDS, False),
    "no complaint": (SOURCE, 2, b"usage: src [-x]\n", False),
    "the complaint of another script": (SOURCE, 2, b"lib.sh: line 3: syntax error near `)'\n", False),
    "a complaint that was not the end": (SOURCE, 2, WORDS + b"went\non\nand on\n", False),
    "a complaint about an eval": (SOURCE, 2, b"src: eval: line 2: syntax error: unexpected end\n", False),
    "a program that is not bash": (
        PROGRAM,
        2,
        b"/bin/bash: -c: line 1: syntax error: unexpected end\n",
        False,
    ),
    "bytes that are no text": (SOURCE, 2, b"\xff\xfe", False),
}


@pytest.mark.parametrize("name", JUDGED)
def test_bashs_last_words_tell_a_source_that_does_not_load(name: str) -> None:
    command, code, stderr, invalid = JUDGED[name]
    error = BASH.judge(command, Exit(code, stderr))
    assert (error is not None and error.reason == "SOURCE_INVALID") == invalid
