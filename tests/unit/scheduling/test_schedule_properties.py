"""What holds for every snapshot and every history, not only for those somebody thought of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from kruntimes_core.model.ending import Ending
from kruntimes_core.model.events import Delivered, Event, HandedBack, Succeeded
from kruntimes_core.model.resources import fits
from kruntimes_core.model.run import Run, apply
from kruntimes_core.model.runtime import AcceptState, Member
from kruntimes_core.scheduling.actions import Action, Assign
from kruntimes_core.scheduling.schedule import schedule
from kruntimes_core.scheduling.snapshot import Snapshot
from tests.builders import at, make_member, make_run, make_runtime
from tests.unit.scheduling.stage import Stage

EXAMPLES = settings(derandomize=True, database=None, deadline=None, max_examples=60)
NOW = at(2)
PODS = ("a", "b", "c")


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    """Up to three members, some of them of no use."""
    states = st.sampled_from([AcceptState.ACCEPTING] * 3 + [AcceptState.SATURATED, AcceptState.DRAINING])
    return tuple(
        make_member(
            pod,
            capacity={"runs": draw(st.integers(0, 4)), "cpu": draw(st.integers(0, 4))},
            accept_state=draw(states),
        )
        for pod in draw(st.lists(st.sampled_from(PODS), unique=True))
    )


@st.composite
def pending(draw: st.DrawFn) -> tuple[Run, ...]:
    """Up to twelve Runs that wait."""
    return tuple(
        make_run(
            f"r{number}",
            needs={"cpu": draw(st.integers(0, 2))},
            priority=draw(st.integers(-1, 1)),
            created=at(draw(st.integers(0, 1))).wall,
            excluded=tuple(draw(st.lists(st.sampled_from(PODS), unique=True, max_size=1))),
        )
        for number in range(draw(st.integers(0, 12)))
    )


def taken(runs: Iterable[Run]) -> dict[str, Counter[str]]:
    """What the Runs that are assigned take of each member."""
    sums: dict[str, Counter[str]] = {pod: Counter() for pod in PODS}
    for run in runs:
        if run.assignment is not None and not run.is_terminal:
            sums[run.assignment.pod].update(run.requests)
    return sums


def carried_out(runs: Iterable[Run], actions: list[Action]) -> list[Run]:
    events = {action.run.uid: action.event for action in actions}
    return [apply(run, events[run.uid]) if run.uid in events else run for run in runs]


@EXAMPLES
@given(pending(), members())
def test_no_member_is_overbooked_and_no_run_is_assigned_twice(
    runs: tuple[Run, ...], pool: tuple[Member, ...]
) -> None:
    actions = schedule(Snapshot(runs, pool, (make_runtime(),)), NOW)
    assert len({action.run.uid for action in actions}) == len(actions)
    sums = taken(carried_out(runs, actions))
    for member in pool:
        assert fits(sums[member.name], member.capacity)


@EXAMPLES
@given(pending(), members())
def test_nobody_is_sent_where_it_may_not_go(runs: tuple[Run, ...], pool: tuple[Member, ...]) -> None:
    by_pod = {member.name: member for member in pool}
    for action in schedule(Snapshot(runs, pool, (make_runtime(),)), NOW):
        assert isinstance(action, Assign)
        place = action.event.assignment
        assert by_pod[place.pod].accept_state is not AcceptState.DRAINING
        assert place.pod not in action.run.excluded


@EXAMPLES
@given(pending(), members())
def test_nobody_waits_who_fits_somewhere(runs: tuple[Run, ...], pool: tuple[Member, ...]) -> None:
    after = carried_out(runs, schedule(Snapshot(runs, pool, (make_runtime(),)), NOW))
    sums = taken(after)
    for run in (run for run in after if run.assignment is None):
        for member in pool:
            free = {name: total - sums[member.name][name] for name, total in member.capacity.items()}
            barred = member.accept_state is AcceptState.DRAINING or member.name in run.excluded
            assert barred or not fits(run.requests, free)


@EXAMPLES
@given(pending(), members())
def test_the_same_snapshot_has_the_same_answer(runs: tuple[Run, ...], pool: tuple[Member, ...]) -> None:
    snapshot = Snapshot(runs, pool, (make_runtime(),))
    assert schedule(snapshot, NOW) == schedule(snapshot, NOW)


@EXAMPLES
@given(pending(), members())
def test_who_is_passed_by_was_passed_only_by_those_of_another_shape(
    runs: tuple[Run, ...], pool: tuple[Member, ...]
) -> None:
    after = carried_out(runs, schedule(Snapshot(runs, pool, (make_runtime(),)), NOW))
    first = [run for _, run in sorted(enumerate(after), key=lambda e: (-e[1].priority, e[1].created, e[0]))]
    shut: set[object] = set()
    for run in first:
        shape = (tuple(sorted(run.requests.items())), run.excluded)
        if run.assignment is None:
            shut.add(shape)
        else:
            assert shape not in shut


WORDS = ["new", "end", "back", "take", "cancel", "grow", "shrink", "land", "lose", "half", "wait"]
STEPS = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 99)), max_size=40)


def step(stage: Stage, word: str, number: int, flying: list[Action]) -> None:
    """Let one thing happen, if it can."""
    at_work = [run for run in stage.runs.values() if run.assignment and not run.is_terminal]
    idle = [run for run in stage.runs.values() if not run.assignment and not run.is_terminal]
    pod = PODS[number % 3]
    match word:
        case "new":
            name = f"n{len(stage.runs)}"
            stage.show(make_run(name, needs={"cpu": number % 3}, priority=number % 2))
        case "end" | "back" | "take" if at_work:
            happened: dict[str, Event] = {
                "end": Succeeded(Ending()),
                "back": HandedBack("ServerFull", "Full", stage.now.wall, excluded=(pod,)),
                "take": Delivered(stage.now.wall),
            }
            stage.happens(at_work[number % len(at_work)].name, happened[word])
        case "cancel" if idle:
            stage.change(idle[number % len(idle)].name, cancel_requested=True)
        case "grow" | "shrink":
            size = stage.members[pod].capacity["runs"] + (1 if word == "grow" else -1)
            stage.offers(pod, capacity={"runs": max(size, 0), "cpu": 3})
        case "land" | "lose" | "half" if flying:
            answer(stage, flying.pop(number % len(flying)), word)
        case "wait":
            stage.skip(number / 40)
        case _:
            pass


def answer(stage: Stage, action: Action, word: str) -> None:
    """Write an action as a store would; or lose it; or write it and lose the answer."""
    if stage.runs[action.run.name].version != action.run.version:
        stage.board.refused(action, stage.now)
    elif word == "land":
        stage.land(action)
    else:
        if word == "half":
            stage.happens(action.run.name, action.event)
        stage.board.failed(action, stage.now)


@EXAMPLES
@given(STEPS)
def test_in_no_history_is_a_member_overbooked_or_a_run_stranded(steps: list[tuple[str, int]]) -> None:
    stage = Stage(*(make_member(pod, capacity={"runs": 2, "cpu": 3}) for pod in PODS))
    flying: list[Action] = []
    # The last that was decided on each Run: it counts until the Run is seen to have changed.
    assumed: dict[str, Action] = {}
    for word, number in steps:
        step(stage, word, number, flying)
        decided = stage.decide()
        flying += decided
        fresh = [action for action in decided if assumed.get(action.run.name) is not action]
        assumed |= {action.run.name: action for action in fresh}
        current = [each for each in assumed.values() if each.run == stage.runs[each.run.name]]
        sums = taken(carried_out(stage.runs.values(), current))
        # A member may shrink below what it has, and a write may be repeated; but nothing new goes there.
        for pod in {action.event.assignment.pod for action in fresh if isinstance(action, Assign)}:
            assert fits(sums[pod], stage.members[pod].capacity)
        assert stage.board.stranded() == []
        assert stage.board.recount() == 0
