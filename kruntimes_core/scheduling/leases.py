"""How old a member's lease is by the scheduler's own clock; it declares nobody lost."""

from __future__ import annotations

from kruntimes_core.scheduling.accounts import Account

# The API answers at least this often when all is well.
_SILENCE = 6.0
# Being called later than this means that this process stood still, and has not read what came meanwhile.
_LATE = 1.0
_READ_FIRST = 2.0


class LeaseClock:
    """Ages count only while this scheduler could have seen a renewal."""

    def __init__(self) -> None:
        """Begin with every age at zero."""
        self._restarted = float("-inf")
        self._heard: float | None = None

    def restart(self, now: float) -> None:
        """Let every age start anew: for a while no renewal could have been seen."""
        self._restarted = now

    def heard(self, now: float) -> None:
        """Take note that the API answered; after a silence every age starts anew."""
        if self._heard is not None and now - self._heard > _SILENCE:
            self.restart(now)
        self._heard = now

    def lost_at(self, account: Account) -> float:
        """Return when a member counts as lost unless a renewal is seen before."""
        return max(account.seen, self._restarted) + account.lease_seconds

    def judge(self, account: Account, due: float, now: float) -> float | None:
        """Return None if the member is lost, else when to ask again."""
        lost_at = self.lost_at(account)
        if now < lost_at:
            return lost_at
        if self._heard is not None and now - self._heard > _SILENCE:
            return now + _LATE
        if now - due > _LATE:
            return now + _READ_FIRST
        return None
