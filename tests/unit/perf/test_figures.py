"""Figures are what was measured: percentiles by rank, ratios of medians."""

from tests.perf.figures import Figure, Report


def test_percentiles_are_values_that_were_measured() -> None:
    figure = Figure("f", "ms", [5.0, 1.0, 3.0, 2.0, 4.0])
    assert [figure.percentile(percent) for percent in (0, 50, 90, 100)] == [1.0, 3.0, 5.0, 5.0]


def test_the_ratio_is_the_median_over_the_bound() -> None:
    assert Figure("f", "ms", [1.0, 6.0, 9.0], bound=3.0).ratio == 2.0


def test_a_figure_without_a_bound_has_no_ratio() -> None:
    assert Figure("f", "ms", [1.0]).row()["ratio"] is None


def test_the_table_has_a_line_for_each_figure() -> None:
    report = Report({}, [Figure("first", "ms", [1.0], 0.5, "< 2"), Figure("second", "s", [2.0])])
    lines = report.table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["first", "second"]
