"""Whether this daemon still holds its lease, by the monotonic clock; it renews nothing."""

from __future__ import annotations

NEVER = float("-inf")


class Fence:
    """Up means: start nothing, report nothing. It trips when a renewal was not acknowledged in time."""

    def __init__(self, after: float) -> None:
        """Begin up: no lease was ever held."""
        self._after = after
        self.until = NEVER
        self.up = True
        # It went up since this was last set to False: what is known of the API is from before that.
        self.tripped = False

    def renewed(self, sent_at: float) -> None:
        """Hold the lease from the moment the renewal was sent, since the API may have taken it at once."""
        if sent_at >= self.until and self.until != NEVER:
            # Nobody looked while it was over, for example because this process was stopped.
            self.tripped = True
        self.until = max(self.until, sent_at + self._after)

    def check(self, now: float) -> bool:
        """Return whether it went up or down since it was last checked."""
        up = now >= self.until
        if up == self.up:
            return False
        self.up = up
        self.tripped = self.tripped or up
        return True
