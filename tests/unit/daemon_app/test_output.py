"""Output on its way from the runtime server to the container's log: whole, in turn, and never for ever."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kruntimes import frames
from kruntimes.frames import End, Piece
from kruntimes.runtime.v1 import runtime_service_pb2 as wire

from kruntimes_core.apps.daemon.container_log import ContainerLog, LogStuck
from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.daemon.instructions import Collect, Done, Follow, Refused
from kruntimes_core.daemon.server import RunState, ServerRun
from kruntimes_core.model.ending import Channel
from kruntimes_core.model.identity import RunKey
from tests.unit.scripted_server import ScriptedServer

KEY = RunKey("u", 1)


class Pipe:
    """A pipe: what a container's log is for the process that writes it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def text(self) -> bytes:
        """All that was written; closes it."""
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as file:
            return file.read()


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def full() -> Iterator[Pipe]:
    """A pipe that takes no more, until it is read."""
    pipe = Pipe()
    os.set_blocking(pipe.writing, False)
    try:
        while True:
            os.write(pipe.writing, b"." * 65536)
    except BlockingIOError:
        os.set_blocking(pipe.writing, True)
    yield pipe
    os.close(pipe.reading)
    os.close(pipe.writing)


def chunk(offset: int, data: bytes, channel: str = "stdout") -> Any:
    return wire.ReadOutputResponse(chunk=wire.OutputChunk(channel=channel, offset=offset, data=data))


def end(size: int, channel: str = "stdout") -> Any:
    return wire.ReadOutputResponse(end=wire.OutputEnd(channel=channel, total_bytes=size))


def ended(**output: Channel) -> Collect:
    return Collect(1, KEY, ServerRun(KEY, "i", 3, RunState.SUCCEEDED, output=output))


def parts(text: bytes) -> list[Piece | End]:
    found = [frames.parse(line) for line in text.split(b"\n")]
    return [part for part in found if part is not None]


async def test_what_a_run_writes_reaches_the_log_with_its_ends(tmp_path: Path, pipe: Pipe) -> None:
    scripted = ScriptedServer()
    scripted.answers["ReadOutput"] = [chunk(0, b"a"), chunk(0, b"\xff", "stderr"), end(1), end(1, "stderr")]
    async with scripted.serving(tmp_path) as server:
        assert await Outputs(server, ContainerLog(pipe.writing)).follow(Follow(1, KEY)) == Done()

    want = [Piece("u", 1, "stdout", 0, b"a"), Piece("u", 1, "stderr", 0, b"\xff")]
    assert parts(pipe.text()) == [*want, End("u", 1, "stdout", 1, False), End("u", 1, "stderr", 1, False)]


async def test_what_broke_goes_on_where_it_was(tmp_path: Path, pipe: Pipe) -> None:
    scripted = ScriptedServer()
    async with scripted.serving(tmp_path) as server:
        outputs = Outputs(server, ContainerLog(pipe.writing))
        scripted.answers["ReadOutput"] = [chunk(0, b"abc"), end(0, "stderr")]
        assert isinstance(await outputs.follow(Follow(1, KEY)), Refused)
        scripted.answers["ReadOutput"] = [chunk(3, b"d"), end(4)]
        assert await outputs.collect(ended(stdout=Channel(4, False, b"abcd"))) == Done()
        assert await outputs.follow(Follow(2, KEY)) == Done()

    asked = [[(cursor.channel, cursor.offset) for cursor in request.cursors] for _, request in scripted.asked]
    assert asked == [[("stdout", 0), ("stderr", 0)], [("stdout", 3)]]
    data = [part.data for part in parts(pipe.text()) if isinstance(part, Piece)]
    assert data == [b"abc", b"d"]


NEEDS_LOG = {
    "all of it in the tails": (Channel(2, False, b"hi"), False, 0),
    "nothing at all": (Channel(), False, 0),
    "more than the tail": (Channel(9000, False, b"x" * 4096), False, 1),
    "tails that nobody will keep": (Channel(2, False, b"hi"), True, 1),
}


@pytest.mark.parametrize(("stdout", "to_log", "want"), NEEDS_LOG.values(), ids=NEEDS_LOG)
async def test_output_is_read_only_when_the_result_does_not_hold_it(
    tmp_path: Path, pipe: Pipe, stdout: Channel, to_log: bool, want: int
) -> None:
    scripted = ScriptedServer()
    scripted.answers["ReadOutput"] = [chunk(0, b"y"), end(1), end(0, "stderr")]
    snapshot = ServerRun(KEY, "i", 3, RunState.SUCCEEDED, output={"stdout": stdout})
    async with scripted.serving(tmp_path) as server:
        outputs = Outputs(server, ContainerLog(pipe.writing))
        assert await outputs.collect(Collect(1, KEY, snapshot, to_log)) == Done()

    assert scripted.count("ReadOutput") == want
    assert bool(pipe.text()) is bool(want)


async def test_a_stuck_log_holds_up_no_result_for_long(tmp_path: Path, full: Pipe) -> None:
    scripted = ScriptedServer()
    scripted.answers["ReadOutput"] = [chunk(0, b"y" * 9000), end(9000), end(0, "stderr")]
    async with scripted.serving(tmp_path) as server:
        log = ContainerLog(full.writing, patience=0.01)
        outputs = Outputs(server, log)
        for _ in range(3):
            outcome = await outputs.collect(ended(stdout=Channel(9000, False, b"y" * 4096)))
            assert isinstance(outcome, Refused)
            assert "standard output" in outcome.message


async def test_a_log_that_was_stuck_goes_on_when_it_takes_more(full: Pipe) -> None:
    log = ContainerLog(full.writing, patience=0.01)
    with pytest.raises(LogStuck):
        await log.write(b"first\n")
    with pytest.raises(LogStuck, match="at present"):
        await log.write(b"refused\n")
    seen = b""
    while b"first\n" not in seen:
        seen += await asyncio.to_thread(os.read, full.reading, 1 << 20)
    async with asyncio.timeout(10):
        while b"second\n" not in seen:
            try:
                await log.write(b"second\n")
            except LogStuck:  # the thread has not noticed yet
                await asyncio.sleep(0)
                continue
            seen += os.read(full.reading, 1 << 20)
    assert seen.strip(b".").startswith(b"\nfirst\nsecond\n")


async def test_a_log_that_is_gone_is_said_to_be() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(LogStuck, match="Broken pipe"):
        await ContainerLog(writing).write(b"x\n")
    os.close(writing)


async def test_what_the_server_holds_no_more_is_let_go(tmp_path: Path, pipe: Pipe) -> None:
    scripted = ScriptedServer()
    scripted.answers["ReadOutput"] = [chunk(0, b"abc")]
    async with scripted.serving(tmp_path) as server:
        outputs = Outputs(server, ContainerLog(pipe.writing))
        for held in ([KEY], []):
            await outputs.follow(Follow(1, KEY))
            outputs.keep_only(held)
        await outputs.follow(Follow(2, KEY))

    first = [next(iter(request.cursors)).offset for _, request in scripted.asked]
    assert first == [0, 3, 0]
    pipe.text()
