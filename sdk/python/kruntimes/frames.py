"""How a Run's output stands in a container's log, for its writer and its readers. Pure: bytes in, bytes out.

Lines look like these; a line that begins otherwise is none of ours::

    {"kruntimes.io/output":"v1","run":"<uid>","attempt":1,"channel":"stdout","offset":0,"text":"hi\\n"}
    {"kruntimes.io/output":"v1","run":"<uid>","attempt":1,"channel":"stdout","offset":3,"base64":"/wA="}
    {"kruntimes.io/output":"v1","run":"<uid>","attempt":1,"channel":"stdout","end":5,"truncated":false}
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MARK = b'{"kruntimes.io/output":"v1",'
# Container runtimes cut a line of 16 KiB in two.
LINE_BYTES = 16_000
CHANNELS = ("stdout", "stderr")
# The container of a member's Pod that writes them.
CONTAINER = "kruntimes-daemon"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one channel; `offset` is that of the first of them."""

    run: str
    attempt: int
    channel: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of one channel: bytes ever written, and whether some of them were dropped."""

    run: str
    attempt: int
    channel: str
    size: int
    truncated: bool


def write(part: Piece | End) -> bytes:
    """Return the lines for one part of the output, each shorter than LINE_BYTES."""
    head = MARK + b'"run":%s,"attempt":%d,"channel":%s,' % (
        _quoted(part.run),
        part.attempt,
        _quoted(part.channel),
    )
    if isinstance(part, End):
        return head + b'"end":%d,"truncated":%s}\n' % (part.size, b"true" if part.truncated else b"false")
    return b"".join(_lines(head, part))


def parse(line: bytes) -> Piece | End | None:
    """Return what a line says; None when it is not ours, or not whole."""
    if not line.startswith(MARK):
        return None
    try:
        found = json.loads(line)
        return _read(found)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _lines(head: bytes, piece: Piece) -> Iterator[bytes]:
    # Half of it: a character may take two bytes as JSON, and three bytes take four as base64.
    room = LINE_BYTES - len(head) - len('"offset":9223372036854775807,"base64":""}\n')
    at = 0
    while at < len(piece.data):
        end = _cut(piece.data, at, max(room // 2, 64))
        yield head + b'"offset":%d,%s}\n' % (piece.offset + at, _content(piece.data[at:end], room))
        at = end


def _cut(data: bytes, start: int, most: int) -> int:
    """Return where a line may end: not within a character, if these are characters."""
    end = start + most
    if end >= len(data):
        return len(data)
    for before in range(end, end - 4, -1):
        if data[before] & 0xC0 != 0x80:
            return before
    return end


def _content(data: bytes, room: int) -> bytes:
    try:
        text = _quoted(data.decode())
    except UnicodeDecodeError:
        text = b""
    # Text that is mostly control characters takes less room in base64.
    if text and len(text) - 2 <= room:
        return b'"text":' + text
    return b'"base64":"%s"' % binascii.b2a_base64(data, newline=False)


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def _read(found: dict[str, Any]) -> Piece | End | None:
    run, channel = _typed(found["run"], str), _typed(found["channel"], str)
    attempt = _typed(found["attempt"], int)
    if "end" in found:
        return End(run, attempt, channel, _typed(found["end"], int), _typed(found["truncated"], bool))
    if "text" in found:
        data = _typed(found["text"], str).encode()
    else:
        data = binascii.a2b_base64(_typed(found["base64"], str), strict_mode=True)
    return Piece(run, attempt, channel, _typed(found["offset"], int), data)


def _typed(value: Any, kind: type[Any]) -> Any:
    below_zero = kind is int and type(value) is int and value < 0
    if type(value) is not kind or below_zero:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
