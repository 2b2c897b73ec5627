"""The scheduler's books as they stand on a snapshot, for whoever explains them; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import Member
from kruntimes_core.scheduling.ledger import Ledger
from kruntimes_core.scheduling.roster import Roster
from kruntimes_core.scheduling.settings import DEFAULTS, Settings
from kruntimes_core.scheduling.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Books:
    """Who is charged what, and who waits in which order."""

    roster: Roster
    ledger: Ledger


def open_books(snapshot: Snapshot, now: Instant, settings: Settings = DEFAULTS) -> Books:
    """Return the books of a scheduler that saw each object when it was last written.

    A scheduler never trusts the wall clock of others, since it has watched; a single look has nothing else.
    """
    roster = Roster(settings)
    ledger = Ledger(settings, roster)
    for runtime in snapshot.runtimes:
        roster.runtime_changed(runtime)
    for member in snapshot.members:
        roster.member_changed(member, _renewed(member, now))
    for run in sorted(snapshot.runs, key=lambda run: int(run.version)):
        ledger.run_changed(run, _began(run, now))
    for account in roster.accounts.values():
        account.lost = account.member is not None and roster.clock.lost_at(account) <= now.monotonic
    for item in ledger.items.values():
        # What a timer would have done by now: a backoff is over, an exclusion has lapsed.
        if item.run is not None and item.run.phase is Phase.PENDING:
            ledger.settle(item, item.run, now)
    return Books(roster, ledger)


def _renewed(member: Member, now: Instant) -> Instant:
    """Return when its lease was renewed; without a word of it, now."""
    age = (now.wall - member.renewed).total_seconds() if member.renewed else 0.0
    return now.after(-max(age, 0.0))


def _began(run: Run, now: Instant) -> Instant:
    """Return when its wait began."""
    return now.after(-max((now.wall - (run.queued or run.created)).total_seconds(), 0.0))
