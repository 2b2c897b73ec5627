"""krt logs: prints what is kept of a Run's output."""

import argparse

HELP = "print what is kept of a Run's output"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt logs`."""
    parser.add_argument("name", metavar="NAME", help="Run whose output is wanted")
    parser.add_argument("-f", "--follow", action="store_true", help="wait for the Run's end first")
    parser.add_argument("--channel", choices=("stdout", "stderr"), help="only this one, on standard output")


def run(args: argparse.Namespace) -> int:
    """Print the output, each channel on its own stream unless one is chosen."""
    import sys

    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.output import warn, write_result

    with connect(args) as client:
        handle = client.get(args.name)
        result = handle.result(check=False) if args.follow else handle.status().result
    if result is None:
        warn(f"Run {args.name} has not ended, and its output is kept at its end; -f waits for that")
        return 1
    if args.channel:
        sys.stdout.buffer.write(getattr(result, args.channel))
        sys.stdout.buffer.flush()
    else:
        write_result(result)
    return 0
