"""Rows of words set in columns; prints nothing."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def widths_of(rows: Sequence[Row], least: Sequence[int] = ()) -> list[int]:
    """Return how wide each column must be, and no narrower than `least`."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return [max(pair) for pair in zip(widths, least or widths, strict=True)]


def in_columns(rows: Sequence[Row], least: Sequence[int] = ()) -> list[str]:
    """Return one line for each row."""
    widths = widths_of(rows, least)
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
