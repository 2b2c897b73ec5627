"""Who goes where: one snapshot, one answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import AcceptState, Member, Runtime
from kruntimes_core.scheduling.actions import Assign
from kruntimes_core.scheduling.schedule import schedule
from kruntimes_core.scheduling.settings import Settings
from kruntimes_core.scheduling.snapshot import Snapshot
from tests.builders import at, make_member, make_run, make_runtime

OLD, YOUNG = at(0).wall, at(1).wall


@dataclass(frozen=True)
class Case:
    """With these members, these Runs get these places; who gets none is not named."""

    says: str
    runs: list[Run]
    members: list[Member]
    places: dict[str, str]
    runtimes: tuple[Runtime, ...] = (make_runtime(),)


CASES = [
    Case("A Run goes to a ready member.", [make_run()], [make_member("a")], {"r": "a"}),
    Case("Without members it waits.", [make_run()], [], {}),
    Case("Without its Runtime it waits.", [make_run()], [make_member("a")], {}, runtimes=()),
    Case(
        "A member of another Runtime is none of its own.",
        [make_run()],
        [make_member("a", runtime="python")],
        {},
    ),
    Case(
        "A member of another namespace is none of its own.",
        [make_run()],
        [make_member("a", namespace="other")],
        {},
    ),
    Case(
        "Runs of two Runtimes each go to their own.",
        [make_run("b"), make_run("p", runtime="python")],
        [make_member("x"), make_member("y", runtime="python")],
        {"b": "x", "p": "y"},
        runtimes=(make_runtime(), make_runtime("python")),
    ),
    Case(
        "A Runtime of the same name in another namespace is another one.",
        [make_run("here"), make_run("there", namespace="other")],
        [make_member("x"), make_member("y", namespace="other")],
        {"here": "x", "there": "y"},
        runtimes=(make_runtime(), make_runtime(namespace="other")),
    ),
    # members that take nothing
    Case(
        "A member that drains gets nothing.",
        [make_run()],
        [make_member("a", accept_state=AcceptState.DRAINING)],
        {},
    ),
    Case(
        "A member that is not ready gets nothing.",
        [make_run()],
        [make_member("a", accept_state=AcceptState.NOT_READY)],
        {},
    ),
    Case("A member without a server gets nothing.", [make_run()], [make_member("a", instance="")], {}),
    Case("A member without a slot gets nothing.", [make_run()], [make_member("a", runs=0)], {}),
    Case(
        "A member that calls itself saturated is counted like any other.",
        [make_run()],
        [make_member("a", accept_state=AcceptState.SATURATED)],
        {"r": "a"},
    ),
    Case(
        "The next best takes what the best may not.",
        [make_run(excluded=("a",))],
        [make_member("a", runs=4), make_member("b")],
        {"r": "b"},
    ),
    Case("Excluded everywhere it waits.", [make_run(excluded=("a",))], [make_member("a")], {}),
    # room
    Case(
        "One slot takes one Run.",
        [make_run("one"), make_run("two")],
        [make_member("a")],
        {"one": "a"},
    ),
    Case(
        "What is assigned already takes its room.",
        [make_run("there", on="a"), make_run("new")],
        [make_member("a")],
        {},
    ),
    Case(
        "What has ended takes none.",
        [replace(make_run("done", on="a"), phase=Phase.SUCCEEDED), make_run("new")],
        [make_member("a")],
        {"new": "a"},
    ),
    Case(
        "What was assigned to a Pod of the same name but long gone takes none of this one.",
        [
            make_run("there", on="a", assignment=Assignment("a", "uid-before", "instance-before")),
            make_run("new"),
        ],
        [make_member("a")],
        {"new": "a"},
    ),
    Case(
        "Every resource counts, not only slots.",
        [make_run("one", needs={"cpu": 600}), make_run("two", needs={"cpu": 600})],
        [make_member("a", capacity={"runs": 2, "cpu": 1000})],
        {"one": "a"},
    ),
    Case(
        "Any name is a resource.",
        [make_run(needs={"example.com/gpu": 1})],
        [make_member("a", runs=4), make_member("b", capacity={"runs": 1, "example.com/gpu": 1})],
        {"r": "b"},
    ),
    Case(
        "What needs no slot fits beside what took the last.",
        [make_run("there", on="a"), make_run("none", needs={"runs": 0})],
        [make_member("a")],
        {"none": "a"},
    ),
    Case(
        "A small Run passes a large one that does not fit.",
        [make_run("large", needs={"cpu": 4000}), make_run("small", needs={"cpu": 500})],
        [make_member("a", capacity={"runs": 1, "cpu": 1000})],
        {"small": "a"},
    ),
    # order
    Case(
        "The older one goes first.",
        [make_run("young", created=YOUNG), make_run("old", created=OLD)],
        [make_member("a")],
        {"old": "a"},
    ),
    Case(
        "The more important one goes before the older one.",
        [make_run("old", created=OLD), make_run("urgent", created=YOUNG, priority=1)],
        [make_member("a")],
        {"urgent": "a"},
    ),
    Case(
        "Less important than nothing comes last.",
        [make_run("low", priority=-1), make_run("ordinary")],
        [make_member("a")],
        {"ordinary": "a"},
    ),
    Case(
        "Order holds between Runs that ask for different things.",
        [make_run("first", needs={"cpu": 900}, priority=1), make_run("second", needs={"cpu": 200})],
        [make_member("a", capacity={"runs": 2, "cpu": 1000})],
        {"first": "a"},
    ),
    Case(
        "Who waits again waits since then.",
        [make_run("again", created=OLD, queued=at(2).wall, attempt=1), make_run("new", created=YOUNG)],
        [make_member("a")],
        {"new": "a"},
    ),
    Case(
        "Who came first goes first when all else is the same.",
        [make_run("z"), make_run("a")],
        [make_member("m")],
        {"z": "m"},
    ),
    # choice
    Case(
        "The freest member is chosen.",
        [make_run("there", on="a"), make_run("new")],
        [make_member("a", runs=2), make_member("b", runs=2)],
        {"new": "b"},
    ),
    Case(
        "Runs are spread.",
        [make_run("one"), make_run("two"), make_run("three")],
        [make_member("a", runs=3), make_member("b", runs=3), make_member("c", runs=3)],
        {"one": "a", "two": "b", "three": "c"},
    ),
    # Runs that are not for now
    Case("Who backs off waits.", [make_run(not_before=at(3).wall, attempt=1)], [make_member("a")], {}),
    Case(
        "Who has backed off goes.",
        [make_run(not_before=at(1).wall, attempt=1)],
        [make_member("a")],
        {"r": "a"},
    ),
    Case("Who is cancelled goes nowhere.", [make_run(cancel_requested=True)], [make_member("a")], {}),
    Case("Who is deleted goes nowhere.", [make_run(deleting=True)], [make_member("a")], {}),
    Case(
        "Who is running stays where it is.",
        [replace(make_run(on="a"), phase=Phase.RUNNING)],
        [make_member("a", runs=2), make_member("b", runs=2)],
        {},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_schedule(case: Case) -> None:
    snapshot = Snapshot(tuple(case.runs), tuple(case.members), case.runtimes)
    actions = schedule(snapshot, at(2))
    assigned = [action for action in actions if isinstance(action, Assign)]
    assert {action.run.name: action.event.assignment.pod for action in assigned} == case.places


def test_an_assignment_names_the_version_of_the_run_and_the_instance_of_the_member() -> None:
    run = make_run(version="77")
    [action] = schedule(Snapshot((run,), (make_member("a"),), (make_runtime(),)), at(2))
    assert isinstance(action, Assign)
    assert action.run.version == "77"
    place = action.event.assignment
    assert (place.pod, place.pod_uid, place.instance) == ("a", "uid-a", "instance-a")
    assert action.event.at == at(2).wall


def test_no_more_is_decided_at_once_than_may_be_under_way() -> None:
    runs = tuple(make_run(f"r{number}") for number in range(9))
    snapshot = Snapshot(runs, (make_member(runs=9),), (make_runtime(),))
    assert len(schedule(snapshot, at(2), Settings(in_flight=4))) == 4


def test_no_pool_is_starved_by_another_that_has_more_to_do() -> None:
    crowd = [make_run(f"b{number}") for number in range(9)]
    one = make_run("p", runtime="python")
    members = (make_member("a", runs=9), make_member("b", runtime="python"))
    snapshot = Snapshot((*crowd, one), members, (make_runtime(), make_runtime("python")))
    assert "p" in {action.run.name for action in schedule(snapshot, at(2), Settings(in_flight=4))}
