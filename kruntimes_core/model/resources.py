"""Amounts of resources by name: read, added, subtracted, compared; any name, always whole base units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

Amounts = Mapping[str, int]

RUNS = "runs"
CPU = "cpu"

_SUFFIXES: Mapping[str, Decimal] = {
    "": Decimal(1),
    **{
        suffix: Decimal(10) ** (3 * power)
        for power, suffix in zip((-3, -2, -1, 1, 2, 3, 4, 5, 6), "numkMGTPE", strict=True)
    },
    **{
        suffix: Decimal(1024) ** power
        for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
    },
}
_QUANTITY = re.compile(
    r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?"
)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS: Mapping[str, Decimal] = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
# Amounts travel as int64.
_LARGEST = 2**63 - 1


class Unreadable(ValueError):
    """A quantity or duration is not written as Kubernetes writes it."""


def parse_quantity(name: str, text: str | int) -> int:
    """Return a quantity in the base unit of its resource, rounded up: cpu in thousandths, others whole."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise Unreadable(f"{name}: {text!r} is not a quantity; write for example 2, 500m, 1.5Gi or 1e3")
    sign, digits, suffix, exponent = match.groups()
    scale = Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""]
    units = Decimal(digits) * scale * (1000 if name == CPU else 1)
    amount = int(units.to_integral_value(ROUND_CEILING))
    if sign == "-" and amount:
        raise Unreadable(f"{name}: {text!r} is below zero")
    if amount > _LARGEST:
        raise Unreadable(f"{name}: {text!r} is more than can be counted")
    return amount


def parse_amounts(quantities: Mapping[str, str | int]) -> dict[str, int]:
    """Return every quantity of a map in base units."""
    return {name: parse_quantity(name, text) for name, text in quantities.items()}


def requests_of(requests: Mapping[str, str | int], limits: Mapping[str, str | int]) -> dict[str, int]:
    """Return what a Run reserves: its requests, its limits where it names no request, and one of `runs`."""
    return {RUNS: 1} | parse_amounts(limits) | parse_amounts(requests)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 1.5s, 500ms or 2m30s."""
    if not _DURATION.fullmatch(text):
        raise Unreadable(f"{text!r} is not a duration; write for example 1.5s, 500ms or 2m30s")
    parts = _DURATION_PART.findall(text)
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in parts))


def add(left: Amounts, right: Amounts) -> dict[str, int]:
    """Return the sum, name by name."""
    total = dict(left)
    for name, amount in right.items():
        total[name] = total.get(name, 0) + amount
    return total


def subtract(left: Amounts, right: Amounts) -> dict[str, int]:
    """Return what is left, name by name; below zero where more was taken than there was."""
    rest = dict(left)
    for name, amount in right.items():
        rest[name] = rest.get(name, 0) - amount
    return rest


def fits(wanted: Amounts, free: Amounts) -> bool:
    """Return whether every amount wanted is there; a name nobody offers fits only an amount of zero."""
    for name, amount in wanted.items():  # noqa: SIM110 a plain loop: this is the scheduler's hottest line
        if amount > free.get(name, 0):
            return False
    return True
