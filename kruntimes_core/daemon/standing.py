"""Where this member stands with the API and with its server, whatever its Runs; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.daemon.fence import NEVER, Fence
from kruntimes_core.daemon.server import ServerStatus
from kruntimes_core.daemon.settings import Settings
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.runtime import AcceptState


@dataclass(frozen=True, slots=True)
class Seat:
    """The member this daemon serves."""

    namespace: str
    pod: str
    pod_uid: str
    runtime: str


@dataclass(slots=True, eq=False)
class Standing:
    """Shared by all duties of one daemon."""

    seat: Seat
    settings: Settings
    fence: Fence
    # Runs of the API: whether the list is whole, and whether it was ever.
    api_synced: bool = False
    synced_once: bool = False
    resync_wanted: bool = True
    resyncing: bool = False
    # The server: whether it was shaken hands with, and whether its list of Runs is whole.
    connected: bool = False
    server_synced: bool = False
    shaking: bool = False
    handshake_at: float = NEVER
    handshakes_failed: int = 0
    away_since: float | None = None
    instance: str = ""
    accept_state: AcceptState = AcceptState.NOT_READY
    capacity: Amounts = field(default_factory=dict)
    # Runs refused for want of room since the last that was not.
    full_in_row: int = 0
    _serial: int = 0

    def number(self) -> int:
        """Return the number of the next instruction."""
        self._serial += 1
        return self._serial

    def full_delay(self) -> float:
        """Return how long a Run waits that the server had no room for: longer the more often it happens."""
        doubled = self.settings.hand_back_delay * 2.0 ** min(self.full_in_row, 10)
        self.full_in_row += 1
        return min(doubled, self.settings.hand_back_at_most)

    @property
    def is_accepting(self) -> bool:
        """Return whether a StartRun has a chance."""
        return self.accept_state in (AcceptState.ACCEPTING, AcceptState.SATURATED)

    def connect(self, status: ServerStatus) -> None:
        """Take what a handshake brought."""
        self.connected, self.shaking = True, False
        self.server_synced = False
        self.handshakes_failed = 0
        self.away_since = None
        self.show(status)

    def show(self, status: ServerStatus) -> None:
        """Take the server's status."""
        self.instance = status.instance
        self.accept_state = status.accept_state
        self.capacity = status.capacity

    def disconnect(self, now: float) -> None:
        """Take note that the server is away; the next handshake waits a little longer each time."""
        self.connected = self.server_synced = self.shaking = False
        if self.away_since is None:
            self.away_since = now
        pause = min(self.settings.repeat_after * 2.0 ** min(self.handshakes_failed, 10), 1.0)
        self.handshakes_failed += 1
        self.handshake_at = now + pause
