"""How much of one attempt's output the container's log has; it reads and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes.frames import CHANNELS, End, Piece

TAIL_BYTES = 4096


@dataclass(slots=True)
class Shipment:
    """Where each channel goes on, and the last bytes that went by."""

    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 0))
    tails: dict[str, bytes] = field(default_factory=lambda: dict.fromkeys(CHANNELS, b""))
    ended: set[str] = field(default_factory=set)

    @property
    def cursors(self) -> list[tuple[str, int]]:
        """Return the channels that have not ended, and where each goes on."""
        return [(name, offset) for name, offset in self.offsets.items() if name not in self.ended]

    @property
    def is_whole(self) -> bool:
        """Return whether the log has everything, ends included."""
        return self.ended >= set(self.offsets)

    def take(self, part: Piece | End) -> None:
        """Take note that the log has this part."""
        if isinstance(part, End):
            self.ended.add(part.channel)
            return
        self.offsets[part.channel] = part.offset + len(part.data)
        self.tails[part.channel] = (self.tails[part.channel] + part.data)[-TAIL_BYTES:]
