"""Which forgotten keys are refused, and for how long. Pure."""

from kruntimes.server.author import RunKey
from kruntimes.server.bounds import TOMBSTONE_SECONDS, TOMBSTONES


class Tombstones:
    """Per UID the highest attempt forgotten; it covers every lower one. Oldest first, bounded."""

    def __init__(self, ttl: float = TOMBSTONE_SECONDS, most: int = TOMBSTONES) -> None:
        self._ttl = ttl
        self._most = most
        self._attempts: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def bury(self, key: RunKey, now: float) -> None:
        """Refuse `key` and every lower attempt of its UID from now on, for the ttl."""
        attempt = max(key.attempt, self.attempt(key.uid, now))
        self._attempts.pop(key.uid, None)
        self._attempts[key.uid] = (attempt, now + self._ttl)
        self._drop_old(now)

    def attempt(self, uid: str, now: float) -> int:
        """The highest attempt of this UID that is refused; 0 when none is."""
        attempt, until = self._attempts.get(uid, (0, 0.0))
        return attempt if now < until else 0

    def _drop_old(self, now: float) -> None:
        while self._attempts:
            uid = next(iter(self._attempts))
            if len(self._attempts) <= self._most and self._attempts[uid][1] > now:
                return
            del self._attempts[uid]
