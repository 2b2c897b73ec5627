"""krt wait: waits for the end of Runs."""

import argparse

from kruntimes_core.cli.parser import seconds

HELP = "wait for the end of Runs; for a single one, end as it did"
STILL_RUNNING = 124


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt wait`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="Run to wait for")
    parser.add_argument("--timeout", type=seconds, metavar="TIME", help="give up after so long, e.g. 90s")


def run(args: argparse.Namespace) -> int:
    """Wait for all of them, one after the other."""
    from kruntimes import WaitTimeout
    from kruntimes._flow import describe

    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.endings import exit_code
    from kruntimes_core.cli.output import warn

    codes = []
    with connect(args) as client:
        for handle in [client.get(name) for name in args.names]:
            try:
                result = handle.result(args.timeout, check=False)
            except WaitTimeout as error:
                warn(str(error))
                return STILL_RUNNING
            print(f"run.kruntimes.io/{handle.name} {describe(result)}")
            codes.append(exit_code(result))
    return codes[0] if len(codes) == 1 else int(any(codes))
