"""Waiting for a Run's end in front of a person: while it is held up, says what for; never ends the wait."""

from __future__ import annotations

from typing import Protocol

from kruntimes import Run, WaitTimeout

from kruntimes_core.cli.output import warn

# A daemon follows the output of Runs that live longer than a little less.
MOMENT_SECONDS = 0.25
# The scheduler writes its reason after a second; a person wonders a little later.
FIRST_LOOK_SECONDS = 2.0
LATER_LOOK_SECONDS = 10.0


class Awaited(Protocol):
    """A Run's handle, as far as waiting needs it."""

    @property
    def name(self) -> str:
        """The Run's name."""

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end; WaitTimeout when it takes longer."""

    def status(self) -> Run:
        """Read the Run as it is now."""


def ended_soon(handle: Awaited) -> bool:
    """Wait a moment; a Run that ends within it is told of as a whole, with no request besides."""
    try:
        handle.wait(MOMENT_SECONDS)
    except WaitTimeout:
        return False
    return True


def wait_telling(handle: Awaited, first_look: float = FIRST_LOOK_SECONDS) -> Run:
    """Return the Run at its end; each new reason why it still waits is told once, on standard error."""
    told, pause = "", first_look
    while True:
        try:
            return handle.wait(pause)
        except WaitTimeout:
            pause = LATER_LOOK_SECONDS
        why = held_up(handle.status())
        if why and why != told:
            told = why
            warn(f"{why}\n`krt why {handle.name}` says more; Ctrl-C cancels it")


def held_up(run: Run) -> str:
    """Return why a Run does not run yet; empty when it does, or has ended."""
    if run.phase != "Pending":
        return ""
    if not run.reason:
        return f"Run {run.name} waits and nobody has said what for: is the scheduler running?"
    return f"Run {run.name} waits ({run.reason}): {run.message}".rstrip(": ")
