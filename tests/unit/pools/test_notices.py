"""What is told of a pool: what was done to it, and trouble once."""

from typing import Any

from kruntimes_core.pools.condition import Verdict
from kruntimes_core.pools.notices import changed, judged, lost
from kruntimes_core.pools.pool import Pool
from tests.builders import make_member

REFUSED = Verdict(False, "TemplateRefused", "spec.template: is wrong")


def pool(**changes: Any) -> Pool:
    return Pool("default", "bash", "u", "1", **changes)


def test_a_change_of_size_is_told_as_one() -> None:
    deployment = {"spec": {"replicas": 2, "template": {}}}
    scaled = changed(pool(), deployment, {"spec": {"replicas": 5}})
    assert (scaled.reason, scaled.message) == ("PoolScaled", "Members wanted: 5, formerly 2")
    assert changed(pool(), deployment, {"spec": {"replicas": 2}}).reason == "PoolChanged"


def test_trouble_is_told_when_the_status_does_not_say_so_yet() -> None:
    notice = judged(pool(), REFUSED)
    assert notice is not None
    assert (notice.reason, notice.message, notice.warning) == ("TemplateRefused", REFUSED.message, True)
    said = pool(status={"conditions": [{"type": "Ready", "reason": "TemplateRefused"}]})
    assert judged(said, REFUSED) is None
    assert judged(pool(), Verdict(False, "MembersNotReady", "1 of 2")) is None


def test_a_lost_member_is_told_of_its_runtime() -> None:
    notice = lost(pool(), make_member("m"))
    assert (notice.about.kind, notice.about.name, notice.warning) == ("Runtime", "bash", True)
    assert "m" in notice.message
