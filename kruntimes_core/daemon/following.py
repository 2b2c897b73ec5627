"""Whose output is brought to the log while the Run goes on; it reads none."""

from __future__ import annotations

from kruntimes_core.daemon.duty import Duty
from kruntimes_core.daemon.instructions import Follow
from kruntimes_core.daemon.standing import Standing
from kruntimes_core.model.instant import Instant


def next_follow(duty: Duty, standing: Standing, now: Instant) -> Follow | None:
    """Return the order to follow a Run's output; None if there is none now."""
    due = follow_at(duty, standing)
    if due is None or now.monotonic < due or duty.current is None:
        return None
    if not standing.connected or standing.fence.up:
        return None
    return Follow(standing.number(), duty.current.key)


def follow_at(duty: Duty, standing: Standing) -> float | None:
    """Return when the Run will have lived for longer than a moment, if it is to be followed at all.

    The output of shorter ones is either whole in its tails, or read at the end.
    """
    current = duty.current
    if current is None or current.followed or current.running_since is None or duty.follows.busy is not None:
        return None
    snapshot = duty.server.get(current.key.attempt)
    if snapshot is None or snapshot.is_terminal or snapshot.instance != standing.instance:
        return None
    return max(current.running_since + standing.settings.running_after, duty.follows.after)
