"""The daemon's numbers, all seconds unless they count something; it reads no environment."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.attempts import ALLOWANCE, Allowance


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are what the documentation promises."""

    # From sending the last renewal that was acknowledged: past it, nothing is started or reported and
    # the server is told to stop. The lease lasts 15 s; what is between is for code to end in.
    fence_after: float = 10.0
    # Grace of those stops.
    fence_grace: float = 2.0
    # Runs that live shorter are never written as Running, nor is their output followed.
    running_after: float = 0.2
    # A Run assigned longer ago than this may be on its way elsewhere: claim it by a write first.
    late_after: float = 10.0
    # Runs not yet started go back when the server is away or not ready for so long.
    patience: float = 3.0
    # First and longest pause between repeats of one call or write.
    repeat_after: float = 0.1
    repeat_at_most: float = 5.0
    # Unclear refusals of StartRun before ForgetRun STOP settles it.
    start_tries: int = 3
    # A Run that a full or unready server gave back waits so long; longer while it stays full.
    hand_back_delay: float = 0.5
    hand_back_at_most: float = 4.0
    # Grace of a Run that names none, where this daemon has to wait it out.
    default_grace: float = 30.0
    # How many lost attempts are made good.
    allowance: Allowance = ALLOWANCE


DEFAULTS = Settings()
