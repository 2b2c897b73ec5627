"""krt version: says which version this is."""

import argparse

# Written down here because asking the installed distribution takes five times as long as all the rest.
VERSION = "0.1.0"
HELP = "say which version this is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: there is nothing to choose."""


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    print(f"kruntimes {VERSION}")
    return 0
