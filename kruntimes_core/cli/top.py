"""krt top: shows who holds what of each member, and how many wait."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

HELP = "show who holds what of each member, and how many Runs wait"
FEW_RUNS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt top`."""
    parser.add_argument("runtime", nargs="?", default="", metavar="RUNTIME", help="only this one")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="from all namespaces")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="form of the answer")


def run(args: argparse.Namespace) -> int:
    """Show it."""
    return show(args, members=True)


def show(args: argparse.Namespace, *, members: bool) -> int:
    """Show each Runtime, with or without a row for each of its members."""
    from kruntimes_core.cli.columns import in_columns
    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.failures import UsageError
    from kruntimes_core.cli.output import write_data
    from kruntimes_core.cli.snapshot import read_snapshot
    from kruntimes_core.clock import SystemClock
    from kruntimes_core.scheduling.books import open_books
    from kruntimes_core.scheduling.usage import usage

    with connect(args) as client:
        namespace = "" if args.all_namespaces else client.namespace
        snapshot = read_snapshot(client, namespace, args.runtime)
    uses = usage(open_books(snapshot, SystemClock().now()))
    if args.runtime and not uses:
        raise UsageError(f"there is no Runtime {args.runtime}; `krt get runtimes` shows those there are")
    if args.output:
        write_data({"runtimes": [_plain(use) for use in uses]}, args.output)
    elif uses:
        print("\n".join(in_columns(list(rows_of(uses, members=members, namespaces=args.all_namespaces)))))
    else:
        print("no Runtimes, and nobody waits for one")
    return 0


def _plain(use: Any) -> dict[str, Any]:
    """Return a use as plain values, its amounts as quantities."""
    from kruntimes_core.cli.answers import quantities

    amounts = {name: quantities(getattr(use, name)) for name in ("capacity", "used")}
    members = {"members": [_plain(member) for member in use.members]} if hasattr(use, "members") else {}
    return asdict(use) | amounts | members


def rows_of(
    uses: Sequence[Any], *, members: bool = True, namespaces: bool = False
) -> Iterator[Sequence[str]]:
    """Return a row for each Runtime, and below it one for each of its members."""
    from kruntimes_core.cli.amounts import in_order

    names = in_order(
        name for use in uses for name in (*use.capacity, *(n for m in use.members for n in m.used))
    )
    yield ["RUNTIME", "MEMBER", "STATE", *(name.upper() for name in names), "WAITING", "HELD BY"]
    for use in uses:
        state = f"{use.ready} of {len(use.members)} ready" if use.exists else "no such Runtime"
        name = f"{use.namespace}/{use.name}" if namespaces else use.name
        yield [name, "all", state, *_shares(names, use), str(use.waiting), ""]
        for member in use.members if members else ():
            yield ["", member.name, member.state, *_shares(names, member), "", _some(member.runs)]


def _shares(names: Sequence[str], use: Any) -> Iterator[str]:
    from kruntimes_core.cli.amounts import show_amount

    for name in names:
        used, capacity = use.used.get(name, 0), use.capacity.get(name, 0)
        shown = f"{show_amount(name, used)}/{show_amount(name, capacity)}"
        yield shown if used or capacity else "-"


def _some(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - FEW_RUNS} more" if len(runs) > FEW_RUNS else ""
    return ", ".join(runs[:FEW_RUNS]) + more
