"""A Deployment's Pods come to the wanted number and template, step by step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kruntimes_core.dev.rollout import Plan, deployment_status, new_pod, plan
from tests.unit.dev.pods import make_deployment

DEPLOYMENT = make_deployment()
OLDER = make_deployment(image="another")


def pod(
    name: str, deployment: dict[str, Any] = DEPLOYMENT, ready: bool = True, **metadata: Any
) -> dict[str, Any]:
    made = new_pod(deployment, name)
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        **made,
        "metadata": {**made["metadata"], "name": name, **metadata},
        "status": {"phase": "Running", "conditions": [condition]},
    }


LEAVING: dict[str, Any] = {"deletionTimestamp": "2026-03-01T00:00:00Z"}
FINISHED = {**pod("f"), "status": {"phase": "Failed"}}

CASES = {
    "none yet": ([], Plan(2, ())),
    "all there": ([pod("a"), pod("b")], Plan(0, ())),
    "one missing": ([pod("a")], Plan(1, ())),
    "one leaving": ([pod("a"), pod("b", **LEAVING)], Plan(1, ())),
    "one finished": ([pod("a"), FINISHED], Plan(1, ("f",))),
    "one too many, and not ready": ([pod("a"), pod("b", ready=False), pod("c")], Plan(0, ("b",))),
    "one too many, the youngest goes": (
        [
            pod("a", creationTimestamp="2026-03-01T00:00:02Z"),
            *(pod(n, creationTimestamp="2026-03-01") for n in "bc"),
        ],
        Plan(0, ("a",)),
    ),
    "a new template: one more first": ([pod("a", OLDER), pod("b", OLDER)], Plan(1, ())),
    "a new one is not ready yet": ([pod("a", OLDER), pod("b", OLDER), pod("n", ready=False)], Plan(0, ())),
    "a new one is ready: an old one goes": ([pod("a", OLDER), pod("b", OLDER), pod("n")], Plan(0, ("a",))),
    "old ones that are not ready go at once": (
        [pod("a", OLDER, ready=False), pod("b", OLDER)],
        Plan(1, ("a",)),
    ),
    "the last old one goes": ([pod("b", OLDER), pod("n"), pod("m")], Plan(0, ("b",))),
}


@pytest.mark.parametrize(("pods", "want"), CASES.values(), ids=CASES)
def test_a_step(pods: list[dict[str, Any]], want: Plan) -> None:
    assert plan(DEPLOYMENT, pods) == want


def test_a_deployment_that_is_being_deleted_creates_nothing() -> None:
    leaving = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], **LEAVING}}
    assert plan(leaving, []) == Plan(0, ())


def test_recreate_ends_the_old_ones_first() -> None:
    deployment = make_deployment(strategy={"type": "Recreate"})
    assert plan(deployment, [pod("a", OLDER), pod("b", OLDER)]) == Plan(0, ("a", "b"))
    assert plan(deployment, []) == Plan(2, ())


def test_a_pod_is_owned_and_marked() -> None:
    made = new_pod(DEPLOYMENT, "x")
    assert made["metadata"]["ownerReferences"][0]["uid"] == "du"
    assert made["metadata"]["labels"]["app"] == "d"
    assert new_pod(OLDER, "x")["metadata"]["labels"] != made["metadata"]["labels"]


def test_the_status_counts() -> None:
    status = deployment_status(DEPLOYMENT, [pod("a"), pod("b", OLDER, ready=False), pod("c", **LEAVING)])
    counted = [status[key] for key in ("replicas", "updatedReplicas", "readyReplicas", "unavailableReplicas")]
    assert counted == [2, 1, 1, 1]
    assert status["observedGeneration"] == 3
    assert status["conditions"][0]["status"] == "False"


@given(st.integers(0, 5), st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8), st.data())
def test_every_rollout_ends_and_never_goes_below_what_is_wanted(
    wanted: int, start: list[tuple[bool, bool]], data: st.DataObject
) -> None:
    deployment, older = make_deployment(wanted), make_deployment(wanted, image="another")
    pods = [pod(f"s{n}", deployment if new else older, ready) for n, (new, ready) in enumerate(start)]
    had = min(wanted - wanted // 4, sum(ready for _, ready in start))  # a quarter may be missing
    for step in range(40):
        decided = plan(deployment, pods)
        if decided == Plan(0, ()) and all(_is_ready(p) for p in pods):
            break
        pods = [p for p in pods if p["metadata"]["name"] not in decided.delete]
        pods += [pod(f"{step}-{n}", deployment, ready=False) for n in range(decided.create)]
        assert sum(_is_ready(p) for p in pods) >= had
        unready = [p for p in pods if not _is_ready(p)]
        if unready:
            chosen = data.draw(st.sampled_from(unready))
            chosen["status"]["conditions"][0]["status"] = "True"
    assert len(pods) == wanted
    assert deployment_status(deployment, pods)["updatedReplicas"] == wanted


def _is_ready(item: dict[str, Any]) -> bool:
    return bool(item["status"]["conditions"][0]["status"] == "True")
