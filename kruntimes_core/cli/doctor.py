"""krt doctor: looks what this machine can offer and whether the cluster is reached; changes nothing."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

HELP = "look what this machine offers, and whether the cluster is reached and whole"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt doctor`."""
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="form of the answer")


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 when something fails."""
    from dataclasses import asdict

    from kruntimes_core.cli.checks.finding import Level
    from kruntimes_core.cli.output import write_data

    findings = []
    for finding in _findings(args):
        findings.append(finding)
        if not args.output:
            print("\n".join(lines_of(finding)), flush=True)
    if args.output:
        write_data({"findings": [asdict(finding) for finding in findings]}, args.output)
    return int(any(finding.level is Level.FAIL for finding in findings))


def lines_of(finding: Any) -> Sequence[str]:
    """Return a finding for a person, and below it what to do."""
    line = f"{finding.level:<5} {finding.about:<30} {finding.seen}"
    return [line, f"      do: {finding.do}"] if finding.do else [line]


def _findings(args: argparse.Namespace) -> Iterator[Any]:
    import sys

    from kruntimes import Client, NotConfigured
    from kruntimes._client import find_access

    from kruntimes_core.cli.checks.connection import check_connection
    from kruntimes_core.cli.checks.finding import Finding, Level
    from kruntimes_core.cli.checks.toolchains import check_toolchains
    from kruntimes_core.cli.connect import PATIENCE_SECONDS

    if sys.platform == "linux":
        from kruntimes_core.cli.checks.kernel import check_kernel

        yield from check_kernel()
    else:
        seen = f"{sys.platform} has none of what krt dev up needs"
        yield Finding(Level.WARN, "kernel", seen, "use a cluster, or Linux in a virtual machine")
    yield from check_toolchains()
    try:
        access = find_access(args.kubeconfig, args.context)
    except NotConfigured as error:
        yield Finding(Level.FAIL, "kubeconfig", str(error), "krt dev up")
        return
    yield Finding(Level.OK, "kubeconfig", f"{access.origin}: {access.server}")
    with Client(access, namespace=args.namespace, patience=PATIENCE_SECONDS) as client:
        yield from check_connection(client)
