"""`make conformance`: the reference servers judged by the suite, and the suite judged by mutants."""

import argparse
import asyncio
import shlex
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from tests.conformance.judging import ROOT, failures, judged
from tests.conformance.mutants import MUTANTS, Mutant
from tests.conformance.proxy import Proxy

SERVERS: Final = ("fake", "bash", "python")
REPORTS: Final = ROOT / "build" / "conformance"
# Few places: a check that fills a server of programs starts a program for each.
PLACES: Final = {"KRUNTIMES_SLOTS": "8"}
WORKERS: Final = 2
BOUND: Final = 300.0


def main() -> int:
    """0 when every server keeps every rule and every mutant is caught by its checks and no others."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*SERVERS, "mutants", []], help="not all of it")
    only = parser.parse_args().only or [*SERVERS, "mutants"]
    good = [_server(name) for name in SERVERS if name in only]
    if "mutants" in only:
        good.append(_mutants())
    return 0 if all(good) else 1


def _server(name: str) -> bool:
    print(f"=== server {name}", flush=True)
    launch = shlex.join(["env", *(f"{key}={value}" for key, value in PLACES.items()), sys.executable])
    command = [
        *(sys.executable, "-m", "kruntimes.conformance", "run"),
        *("--launch", f"{launch} -m runtime_servers.{name}"),
        *("--fixtures", f"runtime_servers/{name}/fixtures.yaml"),
        *("--json", f"{REPORTS}/{name}.json"),
        *("--junit", f"{REPORTS}/{name}.xml"),
    ]
    return subprocess.run(command, cwd=ROOT, timeout=BOUND, check=False).returncode == 0


def _mutants() -> bool:
    print(f"=== {len(MUTANTS)} mutants, each judged by the whole suite", flush=True)
    began = time.monotonic()
    with ProcessPoolExecutor(WORKERS) as pool:
        good = [pool.submit(_honest).result()]
        for mutant, found in zip(MUTANTS, pool.map(_failed, range(len(MUTANTS))), strict=True):
            good.append(_tell(mutant, found))
    took = time.monotonic() - began
    print(f"{sum(good[1:])} of {len(MUTANTS)} mutants are caught as they should be, in {took:.0f} s")
    return all(good)


def _honest() -> bool:
    """The server behind the mutants, through the same proxy."""
    return not failures(asyncio.run(judged(Proxy)))


def _failed(index: int) -> dict[str, str]:
    return failures(asyncio.run(judged(MUTANTS[index].kind)))


def _tell(mutant: Mutant, found: dict[str, str]) -> bool:
    good = found.keys() == mutant.checks
    print(f"{mutant.name:<24} {'caught' if good else 'WRONG':<7} by {', '.join(sorted(found)) or 'nothing'}")
    if not good:
        print(f"    it should be caught by {', '.join(sorted(mutant.checks))}")
        for identity, seen in sorted(found.items()):
            print(f"    {identity}: {seen}")
    elif mutant.why:
        print(f"    {mutant.why}")
    return good


if __name__ == "__main__":
    sys.exit(main())
