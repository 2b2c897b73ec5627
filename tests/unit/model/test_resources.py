"""Amounts as people write them, in base units."""

from __future__ import annotations

import pytest

from kruntimes_core.model.resources import (
    Unreadable,
    add,
    fits,
    parse_amounts,
    parse_duration,
    parse_quantity,
    requests_of,
    subtract,
)

GI = 1024**3
NO_NUMBERS = ["", " ", "Gi", "one", "nan", "inf", "0x10", "1_000", "1,5", "--1", "٣"]
NO_SUFFIXES = ["1 Gi", "1gi", "1K", "1GiB", "1e", "1e100", "1e3Gi", "1Gi\n"]


@pytest.mark.parametrize(
    ("name", "text", "amount"),
    [
        # cpu is counted in thousandths
        ("cpu", "2", 2000),
        ("cpu", 2, 2000),
        ("cpu", "500m", 500),
        ("cpu", "0.5", 500),
        ("cpu", ".5", 500),
        ("cpu", "5.", 5000),
        # everything else is counted whole
        ("memory", "128", 128),
        ("memory", "1Ki", 1024),
        ("memory", "1Gi", GI),
        ("memory", "1.5Gi", 3 * GI // 2),
        ("memory", "1k", 1000),
        ("memory", "1M", 1_000_000),
        ("memory", "1E", 10**18),
        ("memory", "1e3", 1000),
        ("memory", "1E3", 1000),
        ("runs", 4, 4),
        ("example.com/gpu", "+3", 3),
        # what is left over is rounded up
        ("cpu", "100n", 1),
        ("cpu", "1.0001", 1001),
        ("memory", "0.1", 1),
        ("memory", "1500m", 2),
        ("memory", "1e-3", 1),
        # zero is zero, whatever its sign
        ("cpu", "0", 0),
        ("cpu", "-0", 0),
        # the largest amount there is
        ("memory", str(2**63 - 1), 2**63 - 1),
    ],
)
def test_a_quantity_is_read_in_base_units(name: str, text: str | int, amount: int) -> None:
    assert parse_quantity(name, text) == amount


@pytest.mark.parametrize(
    "text",
    NO_NUMBERS + NO_SUFFIXES,
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Unreadable, match=r"^memory: .* is not a quantity; write for example"):
        parse_quantity("memory", text)


@pytest.mark.parametrize("text", ["-1", "-0.5", "-1Gi", "-1m"])
def test_less_than_nothing_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="below zero"):
        parse_quantity("memory", text)


@pytest.mark.parametrize(
    ("name", "text"), [("memory", "8Ei"), ("memory", str(2**63)), ("cpu", "10P"), ("runs", "1e99")]
)
def test_more_than_travels_is_refused(name: str, text: str) -> None:
    with pytest.raises(Unreadable, match="more than can be counted"):
        parse_quantity(name, text)


def test_a_map_of_quantities_keeps_every_name() -> None:
    assert parse_amounts({"cpu": "1", "memory": "1Ki", "example.com/gpu": 2}) == {
        "cpu": 1000,
        "memory": 1024,
        "example.com/gpu": 2,
    }


@pytest.mark.parametrize(
    ("requests", "limits", "reserved"),
    [
        ({}, {}, {"runs": 1}),
        ({"cpu": "1"}, {}, {"runs": 1, "cpu": 1000}),
        ({}, {"cpu": "2"}, {"runs": 1, "cpu": 2000}),
        ({"cpu": "1"}, {"cpu": "2", "memory": "1Ki"}, {"runs": 1, "cpu": 1000, "memory": 1024}),
        ({"runs": "3"}, {}, {"runs": 3}),
        ({"runs": "0"}, {}, {"runs": 0}),
    ],
    ids=["nothing", "request", "limit alone", "request before limit", "several slots", "no slot"],
)
def test_a_run_reserves_its_requests_else_its_limits_and_a_slot(
    requests: dict[str, str], limits: dict[str, str], reserved: dict[str, int]
) -> None:
    assert requests_of(requests, limits) == reserved


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("2m30s", 150.0),
        ("1h", 3600.0),
        ("1h1m1s1ms", 3661.001),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "1.s", ".5s", "-1s", "1 s", "1d", "1us", "1s ", "1s\n", "1S"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Unreadable, match="is not a duration; write for example"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("wanted", "free", "answer"),
    [
        ({}, {}, True),
        ({"runs": 1}, {"runs": 1}, True),
        ({"runs": 2}, {"runs": 1}, False),
        ({"runs": 1, "cpu": 500}, {"runs": 1, "cpu": 499}, False),
        ({"runs": 1}, {"runs": 1, "cpu": 0}, True),
        ({"example.com/gpu": 1}, {"runs": 1}, False),
        ({"example.com/gpu": 0}, {"runs": 1}, True),
        ({"runs": 0}, {"runs": -1}, False),
    ],
    ids=[
        "nothing fits nowhere",
        "exactly",
        "one too many",
        "one resource too little",
        "what is not wanted may be used up",
        "what nobody offers",
        "none of what nobody offers",
        "an overbooked member",
    ],
)
def test_fits(wanted: dict[str, int], free: dict[str, int], answer: bool) -> None:
    assert fits(wanted, free) is answer


def test_adding_and_subtracting_go_name_by_name_and_change_no_operand() -> None:
    left, right = {"runs": 2, "cpu": 100}, {"cpu": 300, "memory": 5}
    assert add(left, right) == {"runs": 2, "cpu": 400, "memory": 5}
    assert subtract(left, right) == {"runs": 2, "cpu": -200, "memory": -5}
    assert (left, right) == ({"runs": 2, "cpu": 100}, {"cpu": 300, "memory": 5})
