"""What a Runtime's status says, and when it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.pools.condition import judge_members, refused, status_of
from kruntimes_core.pools.judge import Refusal
from kruntimes_core.pools.pool import Pool
from kruntimes_core.pools.presence import Presence

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DEPLOYMENT = {"status": {"replicas": 2}}


def make_pool(replicas: int = 2, status: dict[str, Any] | None = None) -> Pool:
    return Pool("team", "bash", "u", "1", generation=3, replicas=replicas, status=status or {})


def make_member(name: str, state: AcceptState = AcceptState.ACCEPTING, renewed: datetime = NOW) -> Member:
    return Member(
        "team", name, "bash", "1", f"uid-{name}", "i", state, {"runs": 2, "cpu": 500}, renewed, 15.0
    )


TWO = [make_member("a"), make_member("b", AcceptState.SATURATED)]
FAILING = {
    "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}
}
VERDICTS = {
    "all are ready": (make_pool(), TWO, DEPLOYMENT, (True, "MembersReady", "2 of 2 members ready")),
    "more than wanted": (make_pool(1), TWO, None, (True, "MembersReady", "2 of 1 members ready")),
    "some": (make_pool(), TWO[:1], None, (False, "MembersNotReady", "1 of 2 members ready")),
    "none": (make_pool(), [], None, (False, "NoReadyMember", "0 of 2 members ready")),
    "draining is not ready": (
        make_pool(1),
        [make_member("a", AcceptState.DRAINING)],
        None,
        (False, "NoReadyMember", "0 of 1 members ready"),
    ),
    "without an instance it is not ready": (
        make_pool(1),
        [replace(make_member("a"), instance="")],
        None,
        (False, "NoReadyMember", "0 of 1 members ready"),
    ),
    "its Pods are refused": (
        make_pool(),
        [],
        FAILING,
        (False, "PodsRefused", "0 of 2 members ready; exceeded quota"),
    ),
    "none is wanted": (make_pool(0), [], None, (True, "ScaledToZero", "no member is wanted")),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_ready_means_that_the_wanted_members_take_runs(name: str) -> None:
    pool, members, deployment, want = VERDICTS[name]
    verdict = judge_members(pool, deployment, members)
    assert (verdict.ready, verdict.reason, verdict.message) == want


def written(pool: Pool, members: list[Member], at: datetime = NOW) -> dict[str, Any]:
    status = status_of(pool, judge_members(pool, DEPLOYMENT, members), DEPLOYMENT, members, at)
    assert status is not None
    return status


def test_the_status_adds_up_what_ready_members_offer() -> None:
    status = written(make_pool(), TWO)
    assert (status["replicas"], status["readyReplicas"], status["observedGeneration"]) == (2, 2, 3)
    assert status["capacity"] == {"runs": "4", "cpu": "1000m"}
    assert status["conditions"][0]["lastTransitionTime"] == "2026-03-01T00:00:00Z"


def test_the_same_status_is_not_written_twice() -> None:
    status = written(make_pool(), TWO)
    again = make_pool(status=status)
    assert (
        status_of(again, judge_members(again, DEPLOYMENT, TWO), DEPLOYMENT, TWO, NOW + timedelta(1)) is None
    )


def test_what_is_no_longer_offered_is_taken_away() -> None:
    status = written(make_pool(status=written(make_pool(), TWO)), [])
    assert status["capacity"] == {"runs": None, "cpu": None}


def test_the_transition_time_moves_only_with_the_status() -> None:
    first = written(make_pool(), TWO[:1])
    later = NOW + timedelta(hours=1)
    none = written(make_pool(status=first), [], later)
    both = written(make_pool(status=first), TWO, later)
    assert none["conditions"][0]["lastTransitionTime"] == "2026-03-01T00:00:00Z"
    assert both["conditions"][0]["lastTransitionTime"] == "2026-03-01T01:00:00Z"


def test_conditions_of_others_stay() -> None:
    other = {"type": "Other", "status": "True"}
    assert written(make_pool(status={"conditions": [other]}), TWO)["conditions"][1] == other


def test_a_refusal_names_every_path() -> None:
    verdict = refused([Refusal("a.b", "is reserved"), Refusal("c", "is none")])
    assert (verdict.ready, verdict.reason, verdict.message) == (
        False,
        "TemplateRefused",
        "a.b: is reserved; c: is none",
    )


def test_a_member_that_is_not_renewed_no_longer_counts() -> None:
    presence = Presence()
    assert presence.show(make_member("a"), 0.0)
    assert presence.show(make_member("b"), 0.0)
    assert not presence.show(make_member("a", renewed=NOW + timedelta(seconds=5)), 5.0)
    assert presence.next_end() == 15.0
    assert [member.name for member in presence.end(16.0)] == ["b"]
    assert [member.name for member in presence.of(("team", "bash"))] == ["a"]
    assert presence.show(make_member("b", renewed=NOW + timedelta(seconds=17)), 17.0)
    assert len(presence.of(("team", "bash"))) == 2


def test_after_a_broken_watch_every_lease_counts_as_renewed() -> None:
    presence = Presence()
    presence.show(make_member("a"), 0.0)
    presence.restart(14.0)
    assert presence.end(20.0) == []
    assert presence.next_end() == 29.0


def test_a_member_whose_lease_is_gone_is_forgotten() -> None:
    presence = Presence()
    presence.show(make_member("a"), 0.0)
    presence.drop("team", "a")
    assert presence.of(("team", "bash")) == []
    assert presence.next_end() is None
