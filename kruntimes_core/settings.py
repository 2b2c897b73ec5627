"""What an operator may set for scheduler and controller, read from the environment once, at their start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

DAEMON_IMAGE = "kruntimes/kruntimes:0.1.0"
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingRefused(ValueError):
    """A variable of the environment holds something that is not allowed; the message names it."""


@dataclass(frozen=True)
class ProgramSettings:
    """Common to both programs, and the little that is one's own."""

    # None: all namespaces.
    namespace: str | None = None
    log_level: str = "info"
    # The image that holds this package; each member's daemon runs from it.
    daemon_image: str = DAEMON_IMAGE


def from_environment(environ: Mapping[str, str] = os.environ) -> ProgramSettings:
    """Read KRUNTIMES_WATCH_NAMESPACE, KRUNTIMES_LOG_LEVEL and KRUNTIMES_DAEMON_IMAGE."""
    level = environ.get("KRUNTIMES_LOG_LEVEL", "info").lower()
    if level not in LOG_LEVELS:
        raise SettingRefused(f"KRUNTIMES_LOG_LEVEL is {level!r}; choose one of {', '.join(LOG_LEVELS)}")
    return ProgramSettings(
        namespace=environ.get("KRUNTIMES_WATCH_NAMESPACE") or None,
        log_level=level,
        daemon_image=environ.get("KRUNTIMES_DAEMON_IMAGE") or DAEMON_IMAGE,
    )
