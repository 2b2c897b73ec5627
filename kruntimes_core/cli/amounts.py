"""Amounts of resources and lengths of time as a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kruntimes_core.model.resources import CPU, RUNS, Amounts, parse_quantity

_BYTES = frozenset({"memory", "ephemeral-storage"})
_UNITS = ("", "Ki", "Mi", "Gi", "Ti", "Pi")


def show_amount(name: str, amount: int) -> str:
    """Return an amount of base units in the unit that a person would write."""
    if name == CPU:
        return f"{amount / 1000:g}"
    return _bytes(amount) if name in _BYTES or name.startswith("hugepages-") else str(amount)


def show_amounts(amounts: Amounts) -> str:
    """Return all of them in one line."""
    return ", ".join(f"{name} {show_amount(name, amounts[name])}" for name in in_order(amounts)) or "nothing"


def show_quantity(name: str, text: str) -> str:
    """Return an amount that Kubernetes wrote in the unit that a person would write."""
    return show_amount(name, parse_quantity(name, text))


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names in the order in which they are always shown."""
    first = {name: place for place, name in enumerate((RUNS, CPU, "memory"))}
    return sorted(set(names), key=lambda name: (first.get(name, len(first)), name))


def show_seconds(seconds: float) -> str:
    """Return a length of time, as exact as its size asks for."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _bytes(amount: int) -> str:
    value, unit = float(amount), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g}{_UNITS[unit]}"
