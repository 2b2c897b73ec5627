"""The scheduler's numbers, all seconds unless they count something; it reads no environment."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.attempts import ALLOWANCE, Allowance


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are what the documentation promises."""

    # A member's lease may say otherwise; this one is for a member that was never seen.
    lease_seconds: float = 15.0
    # A Run that its living member never touched goes elsewhere after this.
    start_deadline: float = 30.0
    # A Run excluded from every ready member may try them again after this.
    exclusion_lapse: float = 60.0
    # A reason to wait is not written for waits shorter than this.
    hold_after: float = 1.0
    # Reasons written at most every so often, so that they never hold up assignments.
    hold_interval: float = 0.02
    # Parked shapes are looked at again this often even if nothing woke them.
    safety_interval: float = 5.0
    # Parked shapes looked at in one cycle.
    wake_batch: int = 32
    # Actions under way at once.
    in_flight: int = 64
    # A write whose outcome is unknown is repeated after this.
    rewrite_after: float = 0.5
    # How many lost attempts are made good.
    allowance: Allowance = ALLOWANCE


DEFAULTS = Settings()
