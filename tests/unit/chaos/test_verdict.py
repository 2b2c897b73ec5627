"""The verdict on a scenario: each kind of harm is seen, and nothing else is taken for one."""

import pytest

from tests.chaos.verdict import Fate, Mark, judge, overlaps, read_marks

OVERLAPS = {
    "one attempt alone": ([Mark(1, 1.0), Mark(1, 9.0)], False),
    "the second begins after the first was last seen": ([Mark(1, 1.0), Mark(1, 2.0), Mark(2, 2.1)], False),
    "the first is seen again after the second began": ([Mark(1, 1.0), Mark(2, 2.0), Mark(1, 2.5)], True),
    "a skipped attempt does not hide it": ([Mark(1, 1.0), Mark(3, 2.0), Mark(1, 3.0)], True),
}


@pytest.mark.parametrize(("marks", "want"), OVERLAPS.values(), ids=OVERLAPS.keys())
def test_overlap(marks: list[Mark], want: bool) -> None:
    assert overlaps(marks) is want


FATES = {
    "ended": (Fate("r", "Succeeded", "", False), (0, 0)),
    "waiting with a reason": (Fate("r", "Pending", "NoRoom", False), (0, 0)),
    "waiting without a reason": (Fate("r", "Pending", "", False), (1, 0)),
    "assigned for ever": (Fate("r", "Scheduled", "", False), (1, 0)),
    "gone": (Fate("r", None, "", False), (1, 0)),
    "its end was rewritten": (Fate("r", "Succeeded", "", True), (0, 1)),
}


@pytest.mark.parametrize(("fate", "want"), FATES.values(), ids=FATES.keys())
def test_fate(fate: Fate, want: tuple[int, int]) -> None:
    verdict = judge([fate], {}, progress=True)
    assert (verdict.lost, verdict.doubled) == want


def test_what_waits_without_progress_is_stuck() -> None:
    fates = [Fate("a", "Pending", "NoRoom", False), Fate("b", "Succeeded", "", False)]
    assert judge(fates, {}, progress=False).stuck == 1


def test_a_mark_cut_short_by_a_kill_is_left_out() -> None:
    assert read_marks(["1 begin 10.5\n", "1 beat 10."]) == [Mark(1, 10.5)]
