"""krt logs: prints a Run's output."""

import argparse

HELP = "print a Run's output"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt logs`."""
    parser.add_argument("name", metavar="NAME", help="Run whose output is wanted")
    parser.add_argument("-f", "--follow", action="store_true", help="as it comes, until the Run has ended")
    parser.add_argument("--channel", choices=("stdout", "stderr"), help="only this one, on standard output")


def run(args: argparse.Namespace) -> int:
    """Print the output, each channel on its own stream unless one is chosen."""
    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.output import write_pieces

    with connect(args) as client:
        write_pieces(client.logs(args.name, follow=args.follow), args.channel or "")
    return 0
