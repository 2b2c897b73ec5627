"""What is worth an Event of a pool: made, changed, refused, a member more or less; it writes none. Pure."""

from __future__ import annotations

from kruntimes_core.model.notices import Notice, Subject
from kruntimes_core.model.runtime import Member
from kruntimes_core.pools.condition import Verdict
from kruntimes_core.pools.pool import Object, Pool

# Verdicts that somebody has to do something about.
_TROUBLE = frozenset({"TemplateRefused", "DeploymentRefused", "NameTaken", "PodsRefused"})


def _about(pool: Pool) -> Subject:
    return Subject("Runtime", pool.namespace, pool.name, pool.uid)


def made(pool: Pool) -> Notice:
    """Return that the pool was made."""
    message = f"Made Deployment {pool.deployment}; members wanted: {pool.replicas}"
    return Notice(_about(pool), "Make", "PoolMade", message)


def changed(pool: Pool, stored: Object, wanted: Object) -> Notice:
    """Return what became of a pool that was not as its Runtime wants it."""
    before, after = (each["spec"].get("replicas") for each in (stored, wanted))
    if before != after:
        return Notice(_about(pool), "Scale", "PoolScaled", f"Members wanted: {after}, formerly {before}")
    message = f"Changed Deployment {pool.deployment}; members are replaced where their template is another"
    return Notice(_about(pool), "Change", "PoolChanged", message)


def judged(pool: Pool, verdict: Verdict) -> Notice | None:
    """Return the trouble a pool is in, if it is and its status did not say so before."""
    conditions = pool.status.get("conditions") or ()
    said = {each.get("reason") for each in conditions if each.get("type") == "Ready"}
    if verdict.reason not in _TROUBLE or verdict.reason in said:
        return None
    return Notice(_about(pool), "Judge", verdict.reason, verdict.message, warning=True)


def appeared(pool: Pool, member: Member) -> Notice:
    """Return that a member gave its first sign of life."""
    return Notice(_about(pool), "Watch", "MemberAppeared", f"Member {member.name} appeared")


def left(pool: Pool, member: Member) -> Notice:
    """Return that a member ended, as it should."""
    return Notice(_about(pool), "Watch", "MemberLeft", f"Member {member.name} left")


def lost(pool: Pool, member: Member) -> Notice:
    """Return that a member gives no sign of life any more."""
    message = f"Member {member.name} was lost: its lease was not renewed in time"
    return Notice(_about(pool), "Watch", "MemberLost", message, warning=True)
