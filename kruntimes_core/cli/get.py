"""krt get: shows Runs, Runtimes and pools as tables, or whole, once or with every change."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

HELP = "show Runs, Runtimes or pools"
SHOWS = "krt get shows runs, runtimes and pools; kubectl shows every other kind, such as pods"
POOLS = frozenset({"pool", "pools"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt get`."""
    parser.add_argument(
        "words", nargs="*", metavar="[runs|runtimes|pools] [NAME]", help="what to show (default: runs)"
    )
    parser.add_argument("-o", "--output", choices=("wide", "json", "yaml", "name"), help="form of the answer")
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing what changes")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="from all namespaces")
    parser.add_argument("-l", "--selector", help="label selector")


def run(args: argparse.Namespace) -> int:
    """Show them."""
    if args.words and args.words[0] in POOLS:
        return _pools(args)
    from kruntimes import NotFound

    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.failures import UsageError
    from kruntimes_core.cli.resources import OWN_GROUP, Place, place_of_word, split_words

    named = split_words(args.words)
    if not named:
        word = args.words[0] if args.words else "runs"
        named = [(place_of_word(word) or Place(OWN_GROUP, "runs"), "")]
    if args.watch and len(named) > 1:
        raise UsageError("-w watches one object or all of a kind, not several by name\nleave the names away")
    with connect(args) as client:
        for place, name in named:
            try:
                _show(args, client, place, name)
            except NotFound as error:
                if name not in args.words[:1]:
                    raise
                # A word alone is a Run's name; whoever wrote it may have meant a kind.
                raise UsageError(f"{error}\n{SHOWS}") from error
    return 0


def _pools(args: argparse.Namespace) -> int:
    """Show what the pools have, and who waits for them; that is counted, not stored."""
    from kruntimes_core.cli import top
    from kruntimes_core.cli.failures import UsageError

    if args.watch or args.selector or args.output in ("wide", "name") or len(args.words) > 2:
        raise UsageError(
            "pools are shown with -o json, -o yaml or -A, and at most one NAME\n`krt top` shows more"
        )
    args.runtime = args.words[1] if len(args.words) > 1 else ""
    return top.show(args, members=False)


def _show(args: argparse.Namespace, client: Any, place: Any, name: str) -> None:
    from kruntimes._wire import Request

    from kruntimes_core.cli.tables import ACCEPT

    namespace = "" if args.all_namespaces and not name else client.namespace
    query = {"labelSelector": args.selector} if args.selector else {}
    accept = ACCEPT if args.output in (None, "wide") else "application/json"
    found = client.ask(Request("GET", place.path(namespace, name), query, accept=accept))
    form = Form(args)
    if _is_empty(found) and not args.output and not args.watch:
        _say_nothing_found(client, place, namespace)
    else:
        form.show(found)
    if args.watch:
        from kruntimes_core.cli.watching import changes

        if name:
            query |= {"fieldSelector": f"metadata.name={name}"}
        request = Request("GET", place.path(namespace), query, accept=accept)
        position = str(found["metadata"].get("resourceVersion") or "")
        for item in changes(client, request, position):
            form.show(item)


class Form:
    """How what is found is shown; a table's columns stay as wide as they began."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._output: str | None = args.output
        self._namespaces: bool = args.all_namespaces
        self._columns: Sequence[Any] | None = None
        self._widths: list[int] = []

    def show(self, found: Mapping[str, Any]) -> None:
        """Show one answer: a table, a list or an object."""
        if self._output in (None, "wide"):
            self._show_rows(found)
        else:
            show_objects(found, self._output)

    def _show_rows(self, table: Mapping[str, Any]) -> None:
        from kruntimes_core.cli.columns import in_columns, widths_of
        from kruntimes_core.cli.tables import table_rows

        first = self._columns is None
        # A watch says the columns only once.
        self._columns = table.get("columnDefinitions") or self._columns
        whole = {**table, "columnDefinitions": self._columns}
        rows = table_rows(whole, wide=self._output == "wide", namespaces=self._namespaces)
        rows = rows if first else rows[1:]
        if rows:
            self._widths = widths_of(rows, self._widths)
            print("\n".join(in_columns(rows, self._widths)), flush=True)


def show_objects(found: Mapping[str, Any], form: str | None) -> None:
    """Show a list or an object whole, or by name."""
    from kruntimes_core.cli.output import write_object

    if form == "name" and "items" in found:
        kind = str(found["kind"]).removesuffix("List")
        for item in found["items"]:
            write_object({**item, "kind": kind, "apiVersion": found["apiVersion"]}, form)
    else:
        write_object(found, form or "json")
    sys.stdout.flush()


def _is_empty(found: Mapping[str, Any]) -> bool:
    return "columnDefinitions" in found and not found.get("rows")


def _say_nothing_found(client: Any, place: Any, namespace: str) -> None:
    """Say that there is nothing; in a namespace that does not exist, that."""
    from kruntimes import Forbidden
    from kruntimes._wire import Request

    from kruntimes_core.cli.output import warn

    if namespace:
        try:
            client.ask(Request("GET", f"/api/v1/namespaces/{namespace}"))
        except Forbidden:
            pass  # who may not look at namespaces gets the plain answer
    warn(f"no {place.plural} in " + (f"namespace {namespace}" if namespace else "any namespace"))
