"""What one attempt has written, put together from the lines of a log. Pure: nothing is invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kruntimes import frames
from kruntimes._models import Output


@dataclass(frozen=True)
class LogPiece:
    """Some of a Run's output, in its order; `missing` bytes before `data` are held by nobody any more.

    `note` says in words what is missing or what happened; a piece may be nothing but a note.
    """

    channel: str = ""
    data: bytes = b""
    attempt: int = 0
    offset: int = 0
    missing: int = 0
    note: str = ""

    @property
    def text(self) -> str:
        """The bytes as text; what is not UTF-8 is shown as the replacement character."""
        return self.data.decode("utf-8", errors="replace")


class Transcript:
    """How far each channel of one attempt has been read; a line that comes again adds nothing."""

    def __init__(self, uid: str, attempt: int) -> None:
        self.attempt = attempt
        self._uid = uid
        self._positions = dict.fromkeys(frames.CHANNELS, 0)
        self._ends: dict[str, frames.End] = {}

    @property
    def has_ended(self) -> bool:
        """Whether the ends of all channels were seen, though something before them may be missing."""
        return self._ends.keys() == self._positions.keys()

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it was read."""
        return not self._ends and not any(self._positions.values())

    def feed(self, line: bytes) -> LogPiece | None:
        """Take one line of a log; returns what is new in it."""
        # A log is that of a whole member: most lines may be another Run's.
        part = frames.parse(line) if self._uid.encode() in line else None
        if part is None or (part.run, part.attempt) != (self._uid, self.attempt):
            return None
        if part.channel not in self._positions:
            return None
        if isinstance(part, frames.End):
            self._ends[part.channel] = part
            return None
        return self._advance(part.channel, part.offset, part.data, "the Pod's log no longer holds them")

    def reaches(self, output: Mapping[str, Output]) -> bool:
        """Tell whether the tails in the Run's status begin no later than where this stands."""
        return all(
            self._positions[name] >= kept.size - len(kept)
            for name, kept in output.items()
            if name in self._positions
        )

    def settle(self, output: Mapping[str, Output], why: str) -> list[LogPiece]:
        """Complete it from the tails, as nothing more can be read; `why` says why anything is missing."""
        found = []
        for name in self._positions:
            end, kept = self._ends.get(name), output.get(name, Output())
            size = max(kept.size, end.size if end else 0)
            cause = why
            if kept.truncated or (end and end.truncated):
                dropped = "they were more than the runtime server keeps"
                cause = dropped if end else f"{dropped}, or {why}"
            piece = self._advance(name, size - len(kept), bytes(kept), cause)
            if piece is not None:
                found.append(piece)
        return found

    def _advance(self, channel: str, offset: int, data: bytes, why: str) -> LogPiece | None:
        """Return what lies beyond the position, with what is missing before it."""
        position = self._positions[channel]
        end = offset + len(data)
        if end <= position:
            return None
        self._positions[channel] = end
        if offset <= position:
            return LogPiece(channel, data[position - offset :], self.attempt, position)
        missing = offset - position
        note = f"{missing:,} bytes of {channel} are missing here: {why}"
        return LogPiece(channel, data, self.attempt, offset, missing, note)
