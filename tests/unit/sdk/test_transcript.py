"""Lines of a log put together: nothing doubled, nothing invented, and what is missing is said."""

import json
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from kruntimes import LogPiece, Output, frames
from kruntimes._transcript import Transcript
from kruntimes.frames import End, Piece

UID = "uid-r"
WHY = "the Pod's log no longer holds them"


def lines_of(data: bytes, sizes: Iterable[int], run: str = UID, attempt: int = 1) -> list[bytes]:
    """The output as lines, in pieces of these sizes, with its ends."""
    lines, at = [], 0
    for size in [*sizes, len(data) + 1]:
        lines += frames.write(Piece(run, attempt, "stdout", at, data[at : at + size])).splitlines(True)
        at = min(at + size, len(data))
    lines.append(frames.write(End(run, attempt, "stdout", len(data), False)))
    return [*lines, frames.write(End(run, attempt, "stderr", 0, False))]


def read(lines: Iterable[bytes], kept: Output | None = None) -> list[LogPiece]:
    text = Transcript(UID, 1)
    found = [piece for line in lines if (piece := text.feed(line)) is not None]
    return [*found, *text.settle({"stdout": kept} if kept is not None else {}, WHY)]


def replayed(pieces: Iterable[LogPiece]) -> bytes:
    """The bytes with a question mark for each that is missing."""
    return b"".join(b"?" * piece.missing + piece.data for piece in pieces)


WORDS = st.text(alphabet="abc\n", max_size=60).map(str.encode)
SIZES = st.lists(st.integers(1, 7), max_size=20)


@given(WORDS, SIZES, st.randoms(use_true_random=False), st.integers(0, 3))
def test_lines_that_come_again_add_nothing(data: bytes, sizes: list[int], random: object, again: int) -> None:
    lines = lines_of(data, sizes)
    heard: list[bytes] = []
    for _ in range(again):  # a daemon that was killed, and its successor begins anew
        heard += lines[: random.randint(0, len(lines))]  # type: ignore[attr-defined]
    assert replayed(read(heard + lines)) == data


@given(WORDS, SIZES, st.sets(st.integers(0, 25)))
def test_each_byte_is_there_or_said_to_be_missing(data: bytes, sizes: list[int], lost: set[int]) -> None:
    lines = [line for index, line in enumerate(lines_of(data, sizes)) if index not in lost]
    pieces = read(lines, Output(b"", len(data)))

    found = replayed(pieces)
    assert len(found) == len(data)
    assert all(seen in (want, ord("?")) for seen, want in zip(found, data, strict=True))
    assert sum(piece.missing for piece in pieces) == found.count(b"?")
    assert all(bool(piece.missing) == bool(piece.note) for piece in pieces)


@given(WORDS, WORDS, SIZES, st.randoms(use_true_random=False))
def test_runs_between_one_another_are_told_apart(
    mine: bytes, other: bytes, sizes: list[int], random: object
) -> None:
    streams = [
        lines_of(mine, sizes),
        lines_of(other, sizes, run="uid-s"),
        lines_of(other, sizes, attempt=2),
        [b"2030-01-01T00:00:00.000Z INFO kruntimes-daemon shook hands\n"] * 3,
        [b"\xff\x00 rubbish\n", frames.MARK + b"\n"],
    ]
    mixed = []
    while any(streams):
        stream = random.choice([stream for stream in streams if stream])  # type: ignore[attr-defined]
        mixed.append(stream.pop(0))
    assert replayed(read(mixed)) == mine


@given(WORDS, st.integers(0, 60), st.integers(0, 60))
def test_tails_complete_what_the_log_lacks(data: bytes, seen: int, tail: int) -> None:
    seen, tail = min(seen, len(data)), min(tail, len(data))
    kept = Output(data[len(data) - tail :], len(data))
    text = Transcript(UID, 1)
    first = [piece for line in lines_of(data[:seen], [])[:-2] if (piece := text.feed(line)) is not None]

    assert text.reaches({"stdout": kept}) is (seen + tail >= len(data))
    pieces = [*first, *text.settle({"stdout": kept}, WHY)]
    assert (
        replayed(pieces)
        == data[:seen] + b"?" * max(len(data) - tail - seen, 0) + (data[max(len(data) - tail, seen) :])
    )


def test_what_is_missing_is_said_with_its_number() -> None:
    piece = frames.write(Piece(UID, 1, "stdout", 1234, b"late"))
    (found,) = read([piece])
    assert (found.missing, found.data, found.offset) == (1234, b"late", 1234)
    assert found.note == f"1,234 bytes of stdout are missing here: {WHY}"


def test_what_the_server_dropped_is_said_to_be_dropped() -> None:
    lines = [
        frames.write(Piece(UID, 1, "stdout", 0, b"head")),
        frames.write(End(UID, 1, "stdout", 100, True)),
        frames.write(End(UID, 1, "stderr", 0, False)),
    ]
    first, last = read(lines, Output(b"tail", 100, True))
    assert (first.data, last.data, last.missing) == (b"head", b"tail", 92)
    assert last.note == "92 bytes of stdout are missing here: they were more than the runtime server keeps"


def test_a_channel_that_nobody_knows_is_passed_over() -> None:
    line = frames.write(Piece(UID, 1, "stdout", 0, b"x"))
    strange = json.dumps(json.loads(line) | {"channel": "system"}, separators=(",", ":")).encode()
    assert read([strange]) == []
