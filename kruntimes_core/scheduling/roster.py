"""The members, Runtimes and pools a scheduler knows, and what is taken of them; it decides nothing."""

from __future__ import annotations

from kruntimes_core.model.identity import is_newer
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import Member, Runtime
from kruntimes_core.model.timers import Timers
from kruntimes_core.scheduling.accounts import Account, AccountKey
from kruntimes_core.scheduling.leases import LeaseClock
from kruntimes_core.scheduling.pool import Pool, PoolKey
from kruntimes_core.scheduling.settings import Settings


class Roster:
    """Accounts outlive leases: a Run counts against its member until it has left it."""

    def __init__(self, settings: Settings) -> None:
        """Begin empty."""
        self.settings = settings
        self.lease_timers: Timers[AccountKey] = Timers()
        self.pool_timers: Timers[PoolKey] = Timers()
        self.clock = LeaseClock()
        self.pools: dict[PoolKey, Pool] = {}
        self.accounts: dict[AccountKey, Account] = {}
        # Pools to be looked at in the next cycle, in turn.
        self.active: dict[PoolKey, Pool] = {}
        self._members: dict[tuple[str, str], Member] = {}
        self._runtimes: dict[PoolKey, Runtime] = {}

    # Runtimes.

    def runtime_changed(self, runtime: Runtime) -> None:
        """Take a version of a Runtime."""
        key = (runtime.namespace, runtime.name)
        known = self._runtimes.get(key)
        if known is not None and not is_newer(runtime.version, than=known.version):
            return
        self._runtimes[key] = runtime
        pool = self.pool(key)
        if not pool.known:
            pool.known = True
            self._reopen(pool)

    def runtime_gone(self, key: PoolKey) -> None:
        """Forget a Runtime; its members stay until they are gone."""
        self._runtimes.pop(key, None)
        pool = self.pool(key)
        pool.known = False
        self._reopen(pool)
        self.drop_if_empty(pool)

    # Members.

    def member_changed(self, member: Member, now: Instant) -> None:
        """Take a version of a lease. A renewal alone changes a time, and wakes nobody."""
        name = (member.namespace, member.name)
        known = self._members.get(name)
        if known is not None:
            if not is_newer(member.version, than=known.version):
                return
            if (known.pod_uid, known.runtime) != (member.pod_uid, member.runtime):
                self.member_gone(*name)
        self._members[name] = member
        account = self.account((member.namespace, member.name, member.pod_uid), now)
        before = account.member
        renewed = before is None or before.renewed != member.renewed or account.lost
        if before is not None and not account.lost and _same_offer(before, member):
            account.member = member
            account.seen = now.monotonic if renewed else account.seen
            return
        account.lost = False
        account.show(member, now.monotonic if renewed else account.seen)
        self._arm(account)
        pool = self.pool((member.namespace, member.runtime))
        pool.accounts[account.key] = account
        self._offer_changed(pool, account)

    def member_gone(self, namespace: str, name: str) -> None:
        """Take note that a lease is gone: the member gets nothing more, and is lost in due time."""
        member = self._members.pop((namespace, name), None)
        if member is None:
            return
        account = self.accounts[(namespace, name, member.pod_uid)]
        account.show(None, account.seen)
        pool = self.pool((namespace, member.runtime))
        pool.drop(account)
        self._offer_changed(pool, account)
        self._drop_if_unused(account)
        self.drop_if_empty(pool)

    def judge(self, key: AccountKey, due: float, now: Instant) -> Account | None:
        """Return the member if its lease is over, else ask again later."""
        account = self.accounts.get(key)
        if account is None or account.lost:
            return None
        again = self.clock.judge(account, due, now.monotonic)
        if again is not None:
            self.lease_timers.set(key, again)
            return None
        account.lost = True
        if account.member is not None:
            pool = self.pool((account.member.namespace, account.member.runtime))
            self._offer_changed(pool, account)
        return account

    # Room.

    def account(self, key: AccountKey, now: Instant) -> Account:
        """Return a member's account; one never heard of is given a lease's time to be heard."""
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account(key, now.monotonic, self.settings.lease_seconds)
            self._arm(account)
        return account

    def charge(self, account: Account, run: Run) -> None:
        """Take room for a Run."""
        account.charge(run.uid, run.requests)
        if account.member is not None:
            self.pool((account.member.namespace, account.member.runtime)).sort(account)

    def release(self, account: Account, uid: str) -> None:
        """Give a Run's room back, which may let others in."""
        if account.release(uid) and account.member is not None:
            pool = self.pool((account.member.namespace, account.member.runtime))
            pool.room_changed(account)
            self.activate(pool)
        self._drop_if_unused(account)

    def pool(self, key: PoolKey) -> Pool:
        """Return the pool of a Runtime, also of one that does not exist."""
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = Pool(key)
        return pool

    def activate(self, pool: Pool) -> None:
        """Look at a pool in the next cycle if it has work."""
        if pool.has_work:
            self.active[pool.key] = pool

    def drop_if_empty(self, pool: Pool) -> None:
        """Forget a pool that nothing belongs to."""
        if pool.is_empty:
            self.pools.pop(pool.key, None)
            self.active.pop(pool.key, None)

    def recount(self) -> dict[AccountKey, tuple[Amounts, Amounts]]:
        """Return the accounts whose free amounts were wrong, as they were and as they are now."""
        wrong: dict[AccountKey, tuple[Amounts, Amounts]] = {}
        for key, account in self.accounts.items():
            before = {name: amount for name, amount in account.free.items() if amount}
            account.recount()
            after = {name: amount for name, amount in account.free.items() if amount}
            if before != after:
                wrong[key] = (before, after)
        return wrong

    def _offer_changed(self, pool: Pool, account: Account) -> None:
        if account.is_ready:
            pool.room_changed(account)
        elif not any(other.is_ready for other in pool.accounts.values()):
            pool.reopen()  # only to learn the new reason
        self.activate(pool)

    def _reopen(self, pool: Pool) -> None:
        pool.reopen()
        self.activate(pool)

    def _arm(self, account: Account) -> None:
        if account.key not in self.lease_timers:
            self.lease_timers.set(account.key, self.clock.lost_at(account))

    def _drop_if_unused(self, account: Account) -> None:
        if account.member is None and not account.charges:
            self.accounts.pop(account.key, None)
            self.lease_timers.clear(account.key)


def _same_offer(before: Member, after: Member) -> bool:
    """Return whether a lease says the same as before, its renewal aside."""
    return (
        before.instance == after.instance
        and before.accept_state == after.accept_state
        and before.capacity == after.capacity
        and before.lease_seconds == after.lease_seconds
    )
