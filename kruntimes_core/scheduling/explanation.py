"""Why one Run is where it is: each member and each filter's verdict, and its place; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.instant import Instant
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.books import Books
from kruntimes_core.scheduling.filters import FILTERS, stopped_by
from kruntimes_core.scheduling.items import Item
from kruntimes_core.scheduling.shapes import Group, shape_of

# The names of the filters, in the order in which they are asked.
FILTER_NAMES = tuple(passes.__name__ for passes, _ in FILTERS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filters say of one member."""

    member: str
    passes: tuple[bool, ...]
    accept_state: AcceptState
    lost: bool
    # Seconds since its lease was renewed.
    silent: float
    capacity: Amounts
    free: Amounts

    @property
    def fits(self) -> bool:
        """Return whether it may take the Run now."""
        return all(self.passes)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Run stands among those that wait for the same Runtime; 1 goes first."""

    number: int
    waiting: int
    # Of those in front, how many are there by priority alone.
    more_important: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that decides whether one Run goes, as the scheduler would see it now."""

    run: Run
    runtime_exists: bool
    verdicts: tuple[Verdict, ...]
    # None when some member may take it.
    reason: Reason | None
    # None unless it stands in the queue.
    place: Place | None
    # Seconds that its wait has lasted, that it backs off still, and until its queue timeout.
    waited: float
    backoff: float
    time_left: float | None


def explain(books: Books, uid: str, now: Instant) -> Explanation:
    """Return the explanation of a Run that has not ended and is in the books."""
    item = books.ledger.items[uid]
    run = item.run
    if run is None:
        raise ValueError(f"Run {uid} has ended: nothing is decided on it any more")
    pool = books.roster.pool((run.namespace, run.runtime))
    group = item.group or Group(shape_of(run), run.requests)
    accounts = sorted(pool.accounts.values(), key=lambda account: account.key)
    return Explanation(
        run=run,
        runtime_exists=pool.known,
        verdicts=tuple(_verdict(group, account, now) for account in accounts),
        reason=_reason(group, accounts) if pool.known else Reason.NO_SUCH_RUNTIME,
        place=_place(books, item, uid),
        waited=max(now.monotonic - item.arrived, 0.0),
        backoff=max(item.ready_at - now.monotonic, 0.0),
        time_left=None if item.queue_deadline is None else item.queue_deadline - now.monotonic,
    )


def _verdict(group: Group, account: Account, now: Instant) -> Verdict:
    member = account.member
    return Verdict(
        member=account.key[1],
        passes=tuple(passes(group, account) for passes, _ in FILTERS),
        accept_state=member.accept_state if member else AcceptState.NOT_READY,
        lost=account.lost,
        silent=max(now.monotonic - account.seen, 0.0),
        capacity=dict(account.capacity),
        free=dict(account.free),
    )


def _reason(group: Group, accounts: list[Account]) -> Reason | None:
    """Return the furthest reason why no member takes it, as the pool itself does."""
    rows = [stopped_by(group, account) for account in accounts]
    furthest = max(rows, default=0)
    return None if furthest == len(FILTERS) else FILTERS[furthest][1]


def _place(books: Books, item: Item, uid: str) -> Place | None:
    if item.pool is None or item.group is None:
        return None
    own = item.group.ranks[uid]
    ranks = [rank for group in item.pool.groups.values() for rank in group.ranks.values()]
    ahead = [rank for rank in ranks if rank < own]
    return Place(len(ahead) + 1, len(ranks), sum(rank[0] < own[0] for rank in ahead))
