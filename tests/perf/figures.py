"""Figures of a benchmark: percentiles, the bound beside them, and how they are printed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured thing: `values` in `unit`, and what it is compared with, if there is a bound."""

    name: str
    unit: str
    values: Sequence[float]
    bound: float | None = None
    """What a bare client needed in the same run, in the same unit."""
    expected: str = ""

    def percentile(self, percent: float) -> float:
        """Return the smallest value that so many percent of all values do not exceed."""
        ordered = sorted(self.values)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]

    @property
    def ratio(self) -> float | None:
        """Return the median over the bound; None without a bound."""
        return self.percentile(50) / self.bound if self.bound else None

    def row(self) -> Mapping[str, Any]:
        """Return what goes into the JSON."""
        points = {f"p{percent}": round(self.percentile(percent), 3) for percent in (50, 90, 99)}
        shown = {key: value for key, value in asdict(self).items() if key != "values"}
        ratio = None if self.ratio is None else round(self.ratio, 3)
        bound = None if self.bound is None else round(self.bound, 3)
        return {**shown, "n": len(self.values), **points, "bound": bound, "ratio": ratio}


@dataclass(frozen=True)
class Report:
    """All figures of one run of the benchmark, and where it ran."""

    machine: Mapping[str, str]
    figures: Sequence[Figure]

    def json(self) -> Mapping[str, Any]:
        """Return the whole report."""
        return {"machine": self.machine, "figures": [figure.row() for figure in self.figures]}

    def table(self) -> str:
        """Return the report for people."""
        points = f"{'p50':>10} {'p90':>10} {'p99':>10}"
        head = f"{'':44} {'n':>5} {points} {'unit':<10} {'bare':>9} {'ratio':>6}  expected"
        return "\n".join([head, *(self._line(figure) for figure in self.figures)])

    @staticmethod
    def _line(figure: Figure) -> str:
        row = figure.row()
        points = " ".join(f"{row[key]:10.2f}" for key in ("p50", "p90", "p99"))
        bound = f"{row['bound']:9.2f} {row['ratio']:6.2f}" if row["bound"] is not None else " " * 16
        return f"{figure.name:44} {row['n']:5} {points} {figure.unit:<10} {bound}  {figure.expected}".rstrip()
