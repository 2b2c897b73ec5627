"""Which Runs were lost, doubled or stuck, told from what was seen of them. Pure."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import TERMINAL

TERMINAL_PHASES = frozenset(str(phase) for phase in TERMINAL)
WAITING_REASONS = frozenset(str(reason) for reason in Reason)


@dataclass(frozen=True)
class Mark:
    """One line a Run wrote: user code of this attempt ran at this moment (seconds since the epoch)."""

    attempt: int
    at: float


@dataclass(frozen=True)
class Fate:
    """What the API said of one acknowledged Run; no `phase` when it is gone though nobody deleted it."""

    uid: str
    phase: str | None
    reason: str
    changed_after_end: bool


@dataclass(frozen=True)
class Verdict:
    """The three counts of a scenario, and how its Runs ended."""

    lost: int
    doubled: int
    stuck: int
    phases: Mapping[str, int]


def read_marks(lines: Iterable[str]) -> list[Mark]:
    """Return the marks of a file; a line that a kill cut short is left out."""
    fields = [line.split() for line in lines if line.endswith("\n")]
    return [
        Mark(int(attempt), float(at)) for attempt, _, at in (three for three in fields if len(three) == 3)
    ]


def overlaps(marks: Iterable[Mark]) -> bool:
    """Return whether user code of two attempts ran at the same time."""
    spans: dict[int, tuple[float, float]] = {}
    for mark in marks:
        first, last = spans.get(mark.attempt, (mark.at, mark.at))
        spans[mark.attempt] = min(first, mark.at), max(last, mark.at)
    in_order = [spans[attempt] for attempt in sorted(spans)]
    return any(later[0] <= earlier[1] for earlier, later in itertools.pairwise(in_order))


def judge(fates: Iterable[Fate], marks: Mapping[str, list[Mark]], progress: bool) -> Verdict:
    """Return the verdict; `progress` says that nothing stood still for too long after the last fault."""
    known = list(fates)
    waiting = [fate for fate in known if fate.phase not in TERMINAL_PHASES]
    lost = [fate for fate in waiting if not (fate.phase == "Pending" and fate.reason in WAITING_REASONS)]
    doubled = [fate for fate in known if fate.changed_after_end or overlaps(marks.get(fate.uid, []))]
    return Verdict(
        lost=len(lost),
        doubled=len(doubled),
        stuck=0 if progress else len(waiting),
        phases=Counter(fate.phase or "gone" for fate in known),
    )
