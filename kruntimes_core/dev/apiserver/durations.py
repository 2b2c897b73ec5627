"""How long ago something was, as kubectl writes it; it never reads a clock."""

import datetime
from typing import Any

UNKNOWN = "<unknown>"
INVALID = "<invalid>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def age(time: Any, now: datetime.datetime) -> str:
    """How long ago, in the two largest units that matter."""
    if time is None:
        return UNKNOWN
    try:
        then = datetime.datetime.fromisoformat(str(time))
    except ValueError:
        return INVALID
    seconds = int((now - then).total_seconds())
    if seconds < -1:
        return INVALID
    return duration(max(0, seconds))


# From this many seconds on, up to the next row, which units are shown.
_ROWS: tuple[tuple[int, int, str, int, str], ...] = (
    (8 * _YEAR, _YEAR, "y", 0, ""),
    (2 * _YEAR, _YEAR, "y", _DAY, "d"),
    (8 * _DAY, _DAY, "d", 0, ""),
    (2 * _DAY, _DAY, "d", _HOUR, "h"),
    (8 * _HOUR, _HOUR, "h", 0, ""),
    (3 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (10 * _MINUTE, _MINUTE, "m", 0, ""),
    (2 * _MINUTE, _MINUTE, "m", 1, "s"),
    (0, 1, "s", 0, ""),
)


def duration(seconds: int) -> str:
    """The short form: 90s, 5m30s, 12m, 3h5m, 20h, 2d4h, 40d, 2y10d."""
    _, large, name, small, small_name = next(row for row in _ROWS if seconds >= row[0])
    rest = seconds % large // small if small else 0
    return f"{seconds // large}{name}" + (f"{rest}{small_name}" if rest else "")
