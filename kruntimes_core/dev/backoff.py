"""How long a program that ended waits before it is started again. Pure."""

from dataclasses import dataclass

# The first restart is at once, since most ends are single ones; a program that keeps falling waits longer.
DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
# A program that ran for this long has recovered.
STEADY_SECONDS = 20.0


@dataclass(frozen=True)
class Backoff:
    """Ends in a row, counted until one run was steady."""

    ends: int = 0

    def after(self, ran_seconds: float) -> "Backoff":
        """Return the count after a run of `ran_seconds` has ended."""
        return Backoff(1 if ran_seconds >= STEADY_SECONDS else self.ends + 1)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        return 0.0 if not self.ends else DELAYS[min(self.ends, len(DELAYS)) - 1]
