"""krt cancel: asks for the end of Runs."""

import argparse

HELP = "ask for the end of Runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt cancel`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="Run to cancel")


def run(args: argparse.Namespace) -> int:
    """Ask; `krt wait` tells when the end has come."""
    from kruntimes_core.cli.connect import connect

    with connect(args) as client:
        for name in args.names:
            client.cancel(name)
            print(f"run.kruntimes.io/{name} is asked to end")
    return 0
