"""Output as lines of a log: whatever the bytes and however they come, they are read as they were written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kruntimes import frames
from kruntimes.frames import LINE_BYTES, End, Piece

UID = "0b5f3c2e-8a47-4f0e-9a77-4f6f3f1d2c11"
BYTES = st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode()))
LONG = st.builds(lambda data, times: data * times, BYTES, st.integers(1, 400))


def joined(lines: bytes, channel: str = "stdout", offset: int = 0) -> bytes:
    """The bytes of one channel, each piece where it belongs."""
    found = b""
    for line in lines.split(b"\n"):
        part = frames.parse(line)
        if isinstance(part, Piece) and part.channel == channel:
            assert part.offset == offset + len(found)
            found += part.data
    return found


@given(LONG, st.integers(0, 1 << 40), st.text(min_size=1, max_size=40))
def test_any_bytes_come_back_in_lines_that_nobody_splits(data: bytes, offset: int, channel: str) -> None:
    lines = frames.write(Piece(UID, 3, channel, offset, data))

    assert all(len(line) < LINE_BYTES for line in lines.split(b"\n"))
    assert lines == b"" or lines.endswith(b"\n")
    parts = [frames.parse(line) for line in lines.split(b"\n")[:-1]]
    pieces = [part for part in parts if isinstance(part, Piece)]
    assert len(pieces) == len(parts)
    assert b"".join(piece.data for piece in pieces) == data
    assert {(piece.run, piece.attempt, piece.channel) for piece in pieces} <= {(UID, 3, channel)}


@given(LONG, st.lists(st.integers(1, 20_000)))
def test_any_chunking_gives_the_same_bytes(data: bytes, sizes: list[int]) -> None:
    lines, at = b"", 0
    for size in [*sizes, len(data) + 1]:
        lines += frames.write(Piece(UID, 1, "stdout", at, data[at : at + size]))
        at = min(at + size, len(data))

    assert joined(lines) == data


@given(st.text(min_size=1, max_size=60, alphabet="aäß€😀\n"))
def test_text_stays_text_where_a_line_is_cut(text: str) -> None:
    data = text.encode() * (40_000 // len(text.encode()))
    lines = frames.write(Piece(UID, 1, "stdout", 0, data))

    assert joined(lines) == data
    assert b"base64" not in lines


@given(st.integers(0, 1 << 62), st.booleans())
def test_an_end_comes_back(size: int, truncated: bool) -> None:
    end = End(UID, 2, "stderr", size, truncated)
    assert frames.parse(frames.write(end)) == end


@given(BYTES, st.integers(0, 400))
def test_a_torn_line_is_nothing(data: bytes, length: int) -> None:
    line = frames.write(Piece(UID, 1, "stdout", 0, data or b"x"))
    torn = line[: min(length, len(line) - 2)]

    assert frames.parse(torn) is None


@given(st.binary(max_size=300))
def test_garbage_is_nothing(garbage: bytes) -> None:
    assert frames.parse(garbage) is None
    frames.parse(frames.MARK + garbage)


WRONG = {
    "no channel": {"run": "u", "attempt": 1, "offset": 0, "text": "x"},
    "an offset below zero": {"run": "u", "attempt": 1, "channel": "stdout", "offset": -1, "text": "x"},
    "a truth for a number": {"run": "u", "attempt": True, "channel": "stdout", "offset": 0, "text": "x"},
    "bad base64": {"run": "u", "attempt": 1, "channel": "stdout", "offset": 0, "base64": "x"},
    "no content": {"run": "u", "attempt": 1, "channel": "stdout", "offset": 0},
    "a size that is text": {"run": "u", "attempt": 1, "channel": "stdout", "end": "1", "truncated": False},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_line_that_breaks_the_form_is_nothing(fields: dict[str, object]) -> None:
    assert frames.parse(frames.MARK + json.dumps(fields).encode()[1:]) is None


def test_nothing_written_makes_no_line() -> None:
    assert frames.write(Piece(UID, 1, "stdout", 7, b"")) == b""


def test_a_line_reads_as_the_documentation_shows_it() -> None:
    want = (
        b'{"kruntimes.io/output":"v1","run":"u","attempt":1,"channel":"stdout","offset":0,"text":"hi\\n"}\n'
    )
    assert frames.write(Piece("u", 1, "stdout", 0, b"hi\n")) == want
