"""Who holds what: each member's Runs and amounts, and each Runtime's sums, as counted; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kruntimes_core.model.resources import Amounts, add, subtract
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.books import Books
from kruntimes_core.scheduling.pool import Pool


@dataclass(frozen=True, slots=True)
class MemberUse:
    """One member. A Run whose member has no lease any more still counts against it."""

    name: str
    state: str
    capacity: Amounts
    used: Amounts
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuntimeUse:
    """One Runtime; its sums are those of the members that are ready."""

    namespace: str
    name: str
    exists: bool
    members: tuple[MemberUse, ...]
    ready: int
    capacity: Amounts
    used: Amounts
    waiting: int


def usage(books: Books) -> tuple[RuntimeUse, ...]:
    """Return the use of every Runtime that exists, has members, or is waited for."""
    return tuple(_of_pool(books, books.roster.pools[key]) for key in sorted(books.roster.pools))


def _of_pool(books: Books, pool: Pool) -> RuntimeUse:
    accounts = sorted(pool.accounts.values(), key=lambda account: account.key)
    ready = [account for account in accounts if account.is_ready]
    return RuntimeUse(
        *pool.key,
        exists=pool.known,
        members=tuple(_of_account(books, account) for account in accounts),
        ready=len(ready),
        capacity=_sum(account.capacity for account in ready),
        used=_sum(_used(account) for account in ready),
        waiting=sum(len(group) for group in pool.groups.values()),
    )


def _of_account(books: Books, account: Account) -> MemberUse:
    runs = [books.ledger.items[uid].run for uid in account.charges]
    names = sorted(run.name for run in runs if run is not None)
    return MemberUse(account.key[1], _state(account), dict(account.capacity), _used(account), tuple(names))


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for each in amounts:
        total = add(total, each)
    return total


def _used(account: Account) -> Amounts:
    return subtract(account.capacity, account.free)


def _state(account: Account) -> str:
    if account.lost:
        return "Lost"
    return account.member.accept_state.value if account.member else AcceptState.NOT_READY.value
