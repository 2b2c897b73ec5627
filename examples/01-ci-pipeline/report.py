"""What the pipeline prints: a line for each end, the table, and the receipt of where the time went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final

from kruntimes import Result, Timings

STAGES: Final = {
    ("queued", "assigned"): "waiting for a place",
    ("assigned", "delivered"): "on the way to the member",
    ("delivered", "started"): "made ready, started",
    ("started", "ended"): "the program itself",
    ("ended", "stored"): "result written",
}
COLUMNS: Final = "{:<19} {:<10} {:>5} {:<15} {:>7} {:>7}  {}"


@dataclass(frozen=True)
class Row:
    """One Run of the pipeline: its step's name, its end, and what is wrong with that."""

    step: str
    result: Result
    complaint: str


def millis(earlier: datetime | None, later: datetime | None) -> float | None:
    """Milliseconds between two moments, if both are known."""
    return (later - earlier).total_seconds() * 1000 if earlier and later else None


def stages(timings: Timings) -> dict[tuple[str, str], float]:
    """The way of one Run, stage by stage, as far as it is known."""
    found = {pair: millis(getattr(timings, pair[0]), getattr(timings, pair[1])) for pair in STAGES}
    return {pair: value for pair, value in found.items() if value is not None}


def ending(row: Row, done: int, of: int) -> str:
    """The line of live progress."""
    spent = row.result.timings.total
    time = f"{spent.total_seconds() * 1000:7.0f} ms" if spent else ""
    mark = "ok " if not row.complaint else "BAD"
    return f"[{done:>2}/{of}] {mark} {row.step:<19} {row.result.phase:<10} {row.result.reason:<15} {time}"


def table(rows: Sequence[Row]) -> str:
    """Run, phase, exit, reason, attempt and time of each, and whether that is how it should have ended."""
    lines = [COLUMNS.format("RUN", "PHASE", "EXIT", "REASON", "ATTEMPT", "MS", "AS IT SHOULD")]
    for row in rows:
        result = row.result
        code = "" if result.exit_code is None else str(result.exit_code)
        code = f"sig{result.signal}" if result.signal else code
        spent = result.timings.total
        time = f"{spent.total_seconds() * 1000:.0f}" if spent else ""
        verdict = row.complaint or "yes"
        lines.append(
            COLUMNS.format(row.step, result.phase, code, result.reason or "-", result.attempt, time, verdict)
        )
    return "\n".join(lines)


def receipt(rows: Sequence[Row], wall: float) -> str:
    """Where the time of all these Runs went, stage by stage."""
    known = [stages(row.result.timings) for row in rows]
    total = sum(sum(one.values()) for one in known) or 1.0
    lines = [f"{'WHERE THE TIME WENT':<26} {'P50 MS':>8} {'MAX MS':>8} {'SUM S':>7} {'SHARE':>6}"]
    for pair, what in STAGES.items():
        values = [one[pair] for one in known if pair in one]
        if values:
            spent = sum(values)
            figures = f"{median(values):>8.1f} {max(values):>8.1f} {spent / 1000:>7.2f} {spent / total:>6.1%}"
            lines.append(f"{what:<26} {figures}")
    lines.append(f"{len(rows)} Runs, {total / 1000:.1f} s of their time, in {wall:.1f} s on the clock")
    return "\n".join(lines)


def work(rows: Sequence[Row]) -> str:
    """What the Runs did, added up from their named outputs."""
    done = {
        name: sum(int(row.result.outputs.get(name, 0)) for row in rows)
        for name in ("files", "compiled", "tests")
    }
    return f"{done['files']} files hashed, {done['compiled']} compiled, {done['tests']} tests passed"


def out_of_order(timings: Timings) -> bool:
    """Whether a receipt runs backwards, which would make it worthless."""
    names = ("queued", "assigned", "delivered", "started", "ended", "stored")
    moments = [moment for name in names if (moment := getattr(timings, name)) is not None]
    return any(later < earlier for earlier, later in pairwise(moments))
