"""Tables as the API server makes them, turned into rows of words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

Row = list[str]


def table_rows(table: Mapping[str, Any], *, wide: bool, namespaces: bool = False) -> list[Row]:
    """Return a Table as texts, its header first."""
    columns = table["columnDefinitions"]
    shown = [index for index, column in enumerate(columns) if wide or not column.get("priority")]
    header = [str(columns[index]["name"]).upper() for index in shown]
    rows = [["NAMESPACE", *header] if namespaces else header]
    for row in table.get("rows") or ():
        cells = [_text(row["cells"][index]) for index in shown]
        rows.append([row["object"]["metadata"]["namespace"], *cells] if namespaces else cells)
    return rows


def version_of(item: Mapping[str, Any]) -> str:
    """Return the version of an event's object, be it a table or the object itself."""
    rows = item.get("rows")
    inner = rows[0].get("object") if rows else None
    return str(((inner or item).get("metadata") or {}).get("resourceVersion") or "")


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
