"""What Python makes of a Run, and of its runner's note."""

import json

import pytest
from kruntimes.runtime.v1.types_pb2 import Payload, RunSpec, Source, TaskWorkload
from kruntimes.server import ErrorKind, Refusal, RetryAdvice, RunError

from runtime_servers.local.command import Command, Exit
from runtime_servers.python.command import Python

PYTHON = Python("/bin/python", "/r.py", "1 (Python 3)")
FILE = ("/bin/python", "/r.py", "")
CALL = ("/bin/python", "/r.py", "f")
THERE = Source(workspace_path="src")
HERE = Source(inline=Payload(inline=b"pass"), inline_path="d/m.py")


def spec(*args: str, entrypoint: str = "", source: Source | None = None) -> RunSpec:
    return RunSpec(task=TaskWorkload(entrypoint=entrypoint, args=args), source=source)


COMMANDS = {
    "arguments of the interpreter": (spec("-c", "pass"), Command(program=("/bin/python", "-c", "pass"))),
    "a source": (spec("a", source=THERE), Command(FILE, ("src",), ("a",), noted=True)),
    "a file of a source": (
        spec("a", entrypoint="e.py", source=THERE),
        Command(FILE, ("src/e.py", "e.py"), ("a",), noted=True),
    ),
    "a file of the workspace": (spec(entrypoint="e.py"), Command(FILE, ("e.py",), noted=True)),
    "a function of the source": (
        spec("1", entrypoint=":f", source=THERE),
        Command(CALL, ("src",), ("1",), noted=True),
    ),
    "a function of a file": (spec(entrypoint="e.py:f"), Command(CALL, ("e.py",), noted=True)),
    "a source in the request": (
        spec(entrypoint=":f", source=HERE),
        Command(CALL, ("d/m.py",), files=(("d/m.py", b"pass"),), noted=True),
    ),
}


@pytest.mark.parametrize(("given", "want"), COMMANDS.values(), ids=COMMANDS)
def test_what_is_started(given: RunSpec, want: Command) -> None:
    assert PYTHON.command(given) == want


REFUSED = {
    "nothing": spec(),
    "a function of nothing": spec(entrypoint=":f"),
    "no function": spec(entrypoint="e.py:", source=THERE),
    "a name that is none": spec(entrypoint="e:f.py"),
    "a program": spec(entrypoint="/bin/true"),
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(given: RunSpec) -> None:
    with pytest.raises(Refusal, match=r"^spec.task"):
        PYTHON.command(given)


SOURCE = PYTHON.command(spec(source=THERE))


def note(kind: str) -> bytes:
    return json.dumps({"kind": kind, "type": "E", "message": "no", "trace": "t"}).encode()


def test_an_exception_is_the_programs_own() -> None:
    want = RunError(ErrorKind.USER_CODE, "UNCAUGHT_EXCEPTION", "no", exception_type="E", trace="t")
    assert PYTHON.judge(SOURCE, Exit(1, b"", note("exception"))) == want


def test_a_source_that_does_not_load_is_never_tried_again() -> None:
    error = PYTHON.judge(SOURCE, Exit(1, b"", note("source")))
    assert error is not None
    assert (error.kind, error.reason) == (ErrorKind.USER_INPUT, "SOURCE_INVALID")
    assert (error.retry, error.message) == (RetryAdvice.NEVER, "Python cannot run the source: E: no")


NO_NOTES = [b"", b"\xff", b"[]", b"1", b"{}", b"[" * 99_999, note("exception").replace(b'"no"', b"7")]


@pytest.mark.parametrize("data", NO_NOTES, ids=range(len(NO_NOTES)))
def test_what_is_no_note_changes_nothing(data: bytes) -> None:
    assert PYTHON.judge(SOURCE, Exit(1, b"", data)) is None


def test_the_interpreter_by_itself_leaves_no_note() -> None:
    assert PYTHON.judge(PYTHON.command(spec("-c", "x")), Exit(1, b"", note("exception"))) is None
