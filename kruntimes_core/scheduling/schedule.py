"""Which pending Run goes to which member. Pure: same snapshot and time, same answer."""

from __future__ import annotations

from kruntimes_core.model.instant import Instant
from kruntimes_core.scheduling.actions import Action
from kruntimes_core.scheduling.board import Board, Watched
from kruntimes_core.scheduling.settings import DEFAULTS, Settings
from kruntimes_core.scheduling.snapshot import Snapshot


def schedule(snapshot: Snapshot, now: Instant, settings: Settings = DEFAULTS) -> list[Action]:
    """Decide one cycle; the caller carries it out.

    It is the board, filled at once and asked once: there is no second set of rules for whole snapshots.
    """
    board = Board(settings)
    for runtime in snapshot.runtimes:
        board.runtime_changed(runtime, now)
    for member in snapshot.members:
        board.member_changed(member, now)
    for run in snapshot.runs:
        board.run_changed(run, now)
    for watched in Watched:
        board.watch_synced(watched, now)
    return board.decide(now)
