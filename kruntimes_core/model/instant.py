"""One moment, read from both clocks at once; never reads a clock itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Instant:
    """Wall time is for what people read; only monotonic seconds decide how long something took."""

    wall: datetime
    monotonic: float

    def after(self, seconds: float) -> Instant:
        """Return the moment this many seconds later, by both clocks."""
        return Instant(self.wall + timedelta(seconds=seconds), self.monotonic + seconds)
