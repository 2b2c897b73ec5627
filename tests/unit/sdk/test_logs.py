"""A reading driven by threads or on a loop: whatever breaks is gone on with, and nothing is left behind."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import kruntimes
import pytest
from kruntimes import Forbidden, LogPiece, NotFound, frames
from kruntimes._errors import Unreachable
from kruntimes._wire import Request, Response
from kruntimes.frames import Piece

from tests.unit.sdk.bridge import bridged
from tests.unit.sdk.runs import FakeStream, FakeTransport, answer, line, make_run

PATIENCE = 10

Begin = Callable[[FakeTransport], Iterator[LogPiece]]


def one_run(found: dict[str, object], listed: list[dict[str, object]]) -> Callable[[Request], Response]:
    """Answers with the Run as it is, and with a list."""

    def respond(request: Request) -> Response:
        if request.path.endswith("/runs"):
            return answer({"metadata": {"resourceVersion": "9"}, "items": listed})
        return answer(found)

    return respond


class Refusing(FakeTransport):
    """Opens watches, and answers each log with the next of these first."""

    def __init__(self, *answers: Exception) -> None:
        super().__init__(one_run(running(), []))
        self.answers = list(answers)

    def stream(self, request: Request) -> FakeStream:
        if request.path.endswith("/log") and self.answers:
            raise self.answers.pop(0)
        return super().stream(request)


def running(version: str = "6") -> dict[str, object]:
    return make_run("r", version, "Running", attempt=1, assignedPod="a")


def succeeded(text: str = "ab") -> dict[str, object]:
    output = {"stdout": {"bytes": len(text), "tail": text}}
    return make_run("r", "9", "Succeeded", attempt=1, assignedPod="a", output=output)


def written(offset: int, data: bytes) -> bytes:
    return frames.write(Piece("uid-r", 1, "stdout", offset, data))


def opened(transport: FakeTransport) -> dict[str, FakeStream]:
    """The watch and the log, which are opened in any order."""
    pairs = [transport.opened.get(timeout=PATIENCE) for _ in range(2)]
    return {"log" if request.path.endswith("/log") else "watch": stream for request, stream in pairs}


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("kruntimes-logs")}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("kruntimes-logs"):
            thread.join(PATIENCE)
    assert threads() == set()


@pytest.fixture(params=["threads", "loop"])
def begin(request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Follows Run r by a client of either kind."""
    with ExitStack() as stack:

        def follow(transport: FakeTransport) -> Iterator[LogPiece]:
            make = kruntimes.Client(transport=transport) if request.param == "threads" else bridged(transport)
            return iter(stack.enter_context(make).logs("r", follow=True))

        yield follow


def in_background(pieces: Iterator[LogPiece]) -> "tuple[threading.Thread, list[LogPiece | Exception]]":
    heard: list[LogPiece | Exception] = []

    def read() -> None:
        try:
            heard.extend(pieces)
        except Exception as error:
            heard.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, heard


def test_lines_and_the_end_come_from_two_streams(begin: Begin) -> None:
    transport = Refusing()
    thread, heard = in_background(begin(transport))
    streams = opened(transport)
    streams["log"].lines.put(b"2030 INFO kruntimes-daemon something else\n")
    streams["log"].lines.put(written(0, b"a"))
    streams["watch"].lines.put(line("MODIFIED", succeeded()))
    thread.join(PATIENCE)
    assert b"".join(piece.data for piece in heard if isinstance(piece, LogPiece)) == b"ab"


def test_a_log_that_breaks_is_read_again_and_nothing_doubled(begin: Begin) -> None:
    transport = Refusing(Unreachable("cut"))
    pieces = begin(transport)
    thread, heard = in_background(pieces)
    streams = opened(transport)
    streams["log"].lines.put(written(0, b"a"))
    streams["log"].lines.put(Unreachable("cut"))
    _, again = transport.opened.get(timeout=PATIENCE)
    again.lines.put(written(0, b"a"))
    again.lines.put(written(1, b"b"))
    streams["watch"].lines.put(line("MODIFIED", succeeded()))
    thread.join(PATIENCE)
    assert b"".join(piece.data for piece in heard if isinstance(piece, LogPiece)) == b"ab"


def test_who_may_not_read_the_log_is_told_and_gets_the_end(begin: Begin) -> None:
    transport = Refusing(Forbidden("pods/log is forbidden", 403))
    thread, heard = in_background(begin(transport))
    _, watch = transport.opened.get(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while not heard:  # that the log was refused
        assert time.monotonic() < deadline
        time.sleep(0)
    watch.lines.put(line("MODIFIED", succeeded()))
    thread.join(PATIENCE)
    notes = [piece.note for piece in heard if isinstance(piece, LogPiece)]
    assert notes == ["the output of Run r cannot be read as it comes: pods/log is forbidden", ""]
    assert b"".join(piece.data for piece in heard if isinstance(piece, LogPiece)) == b"ab"


@pytest.mark.parametrize("kind", ["DELETED", "MODIFIED"])
def test_a_run_that_is_deleted_is_an_error(begin: Begin, kind: str) -> None:
    transport = Refusing()
    thread, heard = in_background(begin(transport))
    found = running("8")
    if kind == "MODIFIED":  # another one of that name
        found = {**found, "metadata": {**found["metadata"], "uid": "another"}}  # type: ignore[dict-item]
    opened(transport)["watch"].lines.put(line(kind, found))
    thread.join(PATIENCE)
    assert isinstance(heard[-1], NotFound)


def test_a_reader_that_leaves_early_ends_what_it_began(begin: Begin) -> None:
    transport = Refusing()
    pieces = begin(transport)
    thread, heard = in_background(itertools.islice(pieces, 1))
    opened(transport)["log"].lines.put(written(0, b"a"))
    thread.join(PATIENCE)
    pieces.close()  # type: ignore[attr-defined]
    assert [piece.data for piece in heard if isinstance(piece, LogPiece)] == [b"a"]


def test_a_position_that_is_too_old_reads_the_run_anew(begin: Begin) -> None:
    transport = FakeTransport(one_run(running(), [succeeded()]))
    thread, heard = in_background(begin(transport))
    expired = {"type": "ERROR", "object": {"code": 410, "message": "too old", "metadata": {}}}
    streams = opened(transport)
    streams["watch"].lines.put(json.dumps(expired).encode())
    streams["watch"].lines.put(None)
    thread.join(PATIENCE)
    assert b"".join(piece.data for piece in heard if isinstance(piece, LogPiece)) == b"ab"


def test_output_that_a_run_holds_whole_costs_no_more_than_the_run() -> None:
    transport = FakeTransport(lambda request: answer(succeeded("hi")))
    with kruntimes.Client(transport=transport) as client:
        pieces = [(piece.channel, piece.text) for piece in client.logs("r", follow=True)]
    assert pieces == [("stdout", "hi")]
    assert [request.method for request in transport.requests] == ["GET"]
    assert transport.opened.empty()
