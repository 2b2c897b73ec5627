"""krt get: shows Runs and Runtimes as the API server's own tables, or whole."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HELP = "show Runs or Runtimes"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

SHOWS = "krt get shows runs and runtimes; kubectl shows every other kind, such as pods"

Row = list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt get`."""
    parser.add_argument(
        "words", nargs="*", metavar="[runs|runtimes] [NAME]", help="what to show (default: runs)"
    )
    parser.add_argument("-o", "--output", choices=("wide", "json", "yaml", "name"), help="form of the answer")
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing what changes")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="from all namespaces")
    parser.add_argument("-l", "--selector", help="label selector")


def run(args: argparse.Namespace) -> int:
    """Show them."""
    from kruntimes import NotFound

    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.failures import UsageError
    from kruntimes_core.cli.resources import OWN_GROUP, Place, place_of_word, split_words

    first = args.words[0] if args.words else "runs"
    wanted = split_words(args.words) or [(place_of_word(first) or Place(OWN_GROUP, "runs"), "")]
    with connect(args) as client:
        for place, name in wanted:
            try:
                _show(args, client, place, name)
            except NotFound as error:
                if name != first:
                    raise
                # A word alone is a Run's name; whoever wrote it may have meant a kind.
                raise UsageError(f"{error}\n{SHOWS}") from error
    return 0


def _show(args: argparse.Namespace, client: Any, place: Any, name: str) -> None:
    from kruntimes._wire import Request

    namespace = "" if args.all_namespaces and not name else client.namespace
    query = {"labelSelector": args.selector} if args.selector else {}
    tabular = args.output in (None, "wide")
    accept = TABLE if tabular else "application/json"
    found = client.ask(Request("GET", place.path(namespace, name), query, accept=accept))
    if not tabular:
        _show_objects(found, args.output)
    else:
        _print_rows(table_rows(found, wide=args.output == "wide", namespaces=args.all_namespaces), [])
    if args.watch:
        if name:
            query |= {"fieldSelector": f"metadata.name={name}"}
        _follow(args, client, Request("GET", place.path(namespace), query, accept=accept), found)


def _show_objects(found: Mapping[str, Any], form: str) -> None:
    from kruntimes_core.cli.output import write_object

    if form == "name" and "items" in found:
        kind = str(found["kind"]).removesuffix("List")
        for item in found["items"]:
            write_object({**item, "kind": kind, "apiVersion": found["apiVersion"]}, form)
    else:
        write_object(found, form)


def _follow(args: argparse.Namespace, client: Any, request: Any, found: Mapping[str, Any]) -> None:
    """Show each change until Ctrl-C; a watch that ends is begun again where it ended."""
    from dataclasses import replace

    position, columns = str(found["metadata"].get("resourceVersion") or ""), found.get("columnDefinitions")
    widths = [len(cell) for cell in table_rows(found, wide=args.output == "wide")[0]] if columns else []
    while True:
        query = {**request.query, "watch": "true", "resourceVersion": position, "allowWatchBookmarks": "true"}
        for kind, item in watch_events(client.stream(replace(request, query=query))):
            position = version_of(item) or position
            if kind == "BOOKMARK":
                continue
            if columns is None:
                _show_objects(item, args.output)
                continue
            rows = table_rows({**item, "columnDefinitions": columns}, wide=args.output == "wide")
            _print_rows(rows[1:], widths)


def watch_events(lines: Iterator[bytes]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the events of a watch; a refusal in its midst is raised."""
    import json

    from kruntimes import ApiError

    for line in lines:
        event = json.loads(line)
        if event["type"] == "ERROR":
            raise ApiError(str(event["object"].get("message")), int(event["object"].get("code") or 0))
        yield event["type"], event["object"]


def version_of(item: Mapping[str, Any]) -> str:
    """Return the version of an event's object, be it a table or the object itself."""
    rows = item.get("rows")
    inner = rows[0].get("object") if rows else None
    return str(((inner or item).get("metadata") or {}).get("resourceVersion") or "")


def table_rows(table: Mapping[str, Any], *, wide: bool, namespaces: bool = False) -> list[Row]:
    """Return a Table of the API server as texts, its header first."""
    columns = table["columnDefinitions"]
    shown = [index for index, column in enumerate(columns) if wide or not column.get("priority")]
    header = [str(columns[index]["name"]).upper() for index in shown]
    rows = [["NAMESPACE", *header] if namespaces else header]
    for row in table.get("rows") or ():
        cells = [_text(row["cells"][index]) for index in shown]
        rows.append([row["object"]["metadata"]["namespace"], *cells] if namespaces else cells)
    return rows


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _print_rows(rows: Sequence[Row], widths: Sequence[int]) -> None:
    if not rows:
        return
    wide = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    wide = [max(pair) for pair in zip(wide, widths or wide, strict=True)]
    for row in rows:
        print(
            "   ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip(), flush=True
        )
