"""The value of a program: one JSON text, or a sentence about what is wrong with it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_servers.local.value import BadValue, parse_value

GOOD = {
    "nothing": (b"", None),
    "space": (b" \t\r\n", None),
    "null": (b"null\n", b"null"),
    "a number no float holds": (b"9007199254740993", b"9007199254740993"),
    "text beyond ASCII": ('"é"'.encode(), '"é"'.encode()),
    "half a character, escaped": (b'"\\ud800"', b'"\\ud800"'),
    "an object, as it was written": (b'{"b": 1,\n "a": 2}', b'{"b": 1,\n "a": 2}'),
}
BAD = {
    "a word": b"hello",
    "two values": b"1 2",
    "half a value": b'{"a":',
    "no number": b"NaN",
    "no end": b"[-Infinity]",
    "bytes that are no text": b'"\xff"',
    "a mark of byte order": b"\xef\xbb\xbf1",
    "a depth that nobody reads": b"[" * 8000 + b"]" * 8000,
    "more digits than anybody reads": b"1" * 5000,
    "a NUL byte": b"1\0",
    "a space that is none in JSON": "\u00a01".encode(),
}


@pytest.mark.parametrize(("data", "want"), GOOD.values(), ids=GOOD)
def test_a_value_is_handed_on_as_it_was_written(data: bytes, want: bytes | None) -> None:
    assert parse_value(data) == want


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_value_is_told(data: bytes) -> None:
    with pytest.raises(BadValue, match=r"^The result file .*\.$"):
        parse_value(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_value_or_told(data: bytes) -> None:
    try:
        value = parse_value(data)
    except BadValue:
        return
    assert value is None or json.loads(value) == json.loads(data)
