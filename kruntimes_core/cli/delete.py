"""krt delete: deletes Runs and Runtimes; what runs of them is stopped."""

import argparse

HELP = "delete Runs or Runtimes; what runs of them is stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt delete`."""
    parser.add_argument("words", nargs="+", metavar="[run|runtime] NAME", help="what to delete")
    parser.add_argument("--ignore-not-found", action="store_true", help="what is not there is no error")


def run(args: argparse.Namespace) -> int:
    """Delete them one after the other."""
    from kruntimes import NotFound
    from kruntimes._wire import Request

    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.failures import UsageError
    from kruntimes_core.cli.resources import split_words

    named = split_words(args.words)
    if not named:
        raise UsageError(f"which one? write: krt delete {args.words[0]} NAME")
    with connect(args) as client:
        for place, name in named:
            try:
                client.ask(Request("DELETE", place.path(client.namespace, name), body=b"{}"))
            except NotFound:
                if not args.ignore_not_found:
                    raise
                continue
            print(f"{place.plural[:-1]}.kruntimes.io/{name} deleted")
    return 0
