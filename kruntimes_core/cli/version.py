"""krt version: says which version this is."""

import argparse

HELP = "say which version this is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: there is nothing to choose."""


def run(args: argparse.Namespace) -> int:
    """Print the version of the installed distribution."""
    from importlib.metadata import version

    print(f"kruntimes {version('kruntimes')}")
    return 0
