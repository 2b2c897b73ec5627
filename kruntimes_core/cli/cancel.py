"""krt cancel: asks for the end of Runs."""

import argparse
from typing import Any

HELP = "ask for the end of Runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt cancel`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="Run to cancel")


def run(args: argparse.Namespace) -> int:
    """Ask; `krt wait` tells when the end has come."""
    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.resources import run_name

    with connect(args) as client:
        for name in map(run_name, args.names):
            print(f"run.kruntimes.io/{name} {_cancel(client, name)}")
    return 0


def _cancel(client: Any, name: str) -> str:
    found = client.read(name)
    if found.result is not None:
        return f"has ended already: {found.phase}"
    if found.object["spec"].get("cancelRequested"):
        return "was asked to end before; `krt wait` tells when it does"
    client.cancel(name)
    return "is asked to end"
