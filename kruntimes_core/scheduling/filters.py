"""Which members may take Runs of a shape, and if none, why. A new filter is one function and one row here."""

from __future__ import annotations

from collections.abc import Callable

from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.resources import fits
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.shapes import Group

Filter = Callable[[Group, Account], bool]


def ready(group: Group, account: Account) -> bool:
    """Return whether the member lives, has a server, and takes Runs."""
    return account.is_ready


def not_excluded(group: Group, account: Account) -> bool:
    """Return whether the member has not refused these Runs before."""
    return account.key[1] not in group.shape.excluded


def large_enough(group: Group, account: Account) -> bool:
    """Return whether the Runs fit the member when it is empty."""
    return fits(group.requests, account.capacity)


def has_room(group: Group, account: Account) -> bool:
    """Return whether the Runs fit what is free now."""
    return fits(group.requests, account.free)


# In order: a Run waits for the reason of the furthest row that stopped any member.
FILTERS: tuple[tuple[Filter, Reason], ...] = (
    (ready, Reason.NO_READY_MEMBER),
    (not_excluded, Reason.NEVER_FITS),
    (large_enough, Reason.NEVER_FITS),
    (has_room, Reason.NO_ROOM),
)


def stopped_by(group: Group, account: Account) -> int:
    """Return the row of the filter that stops the group at this member; len(FILTERS) if none does."""
    for row, (passes, _) in enumerate(FILTERS):
        if not passes(group, account):
            return row
    return len(FILTERS)


# The last filter is the one that most often stops a group that was stopped before.
_LIKELIEST_FIRST = tuple(passes for passes, _ in reversed(FILTERS))


def may_take(group: Group, account: Account) -> bool:
    """Return whether no filter stops the group at this member."""
    for passes in _LIKELIEST_FIRST:  # noqa: SIM110 a plain loop: this is asked most often of all
        if not passes(group, account):
            return False
    return True
