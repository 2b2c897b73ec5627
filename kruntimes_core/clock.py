"""The one place that reads a clock; it decides nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from kruntimes_core.model.instant import Instant

__all__ = ["Clock", "Instant", "SystemClock"]


class Clock(Protocol):
    """What everything outside the pure packages is given instead of `time`."""

    def now(self) -> Instant:
        """Return this moment by both clocks."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> Instant:
        """Return this moment; the monotonic clock goes on while a process is stopped."""
        return Instant(datetime.now(UTC), time.monotonic())
