"""Plays many histories and prints what was found: `python -m tests.simulation --histories 2000 --seed 1`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.checker import Violation
from tests.simulation.history import Outcome, play
from tests.simulation.mutants import MUTANTS, find

_MUTANT_HISTORIES = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=2000, help="how many to play")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the others follow")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes at once")
    parser.add_argument("--mutants", action="store_true", help="only the broken rules")
    parser.add_argument("--rules", action="store_true", help="only the real rules")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        failed = 0 if given.mutants else _play_all(pool, given.seed, given.histories)
        failed += 0 if given.rules else _break_all(pool, given.seed)
    return 1 if failed else 0


def _play_all(pool: ProcessPoolExecutor, first: int, count: int) -> int:
    began = time.monotonic()
    outcomes = list(pool.map(play, range(first, first + count), chunksize=16))
    violated = [outcome for outcome in outcomes if outcome.violation is not None]
    seconds = time.monotonic() - began
    faults = Counter(line.split()[1] for outcome in outcomes for line in outcome.happened)
    print(f"{count} histories from seed {first} in {seconds:.1f} s: {_sum(outcomes)}")
    print("  " + ", ".join(f"{name} {number}" for name, number in sorted(faults.items())))
    for outcome in violated[:10]:
        _explain(outcome)
    print(f"{len(violated)} violations of the six invariants")
    return len(violated)


def _sum(outcomes: list[Outcome]) -> str:
    runs = sum(outcome.runs for outcome in outcomes)
    commits = sum(outcome.commits for outcome in outcomes)
    virtual = sum(outcome.seconds for outcome in outcomes) / 3600
    return f"{runs} Runs, {commits} commits, {virtual:.0f} virtual hours"


def _explain(outcome: Outcome) -> None:
    violation: Violation | None = outcome.violation
    print(f"\nseed {outcome.seed}: {violation}")
    for line in outcome.happened:
        print(f"    {line}")
    print(f"    again: python -m tests.simulation --rules --histories 1 --seed {outcome.seed}\n")


def _break_all(pool: ProcessPoolExecutor, first: int) -> int:
    """Break one rule after the other; each must be noticed."""
    print(f"{len(MUTANTS)} rules broken on purpose:")
    found = pool.map(_break_one, range(len(MUTANTS)), [first] * len(MUTANTS))
    missed = 0
    for mutant, outcome in zip(MUTANTS, found, strict=True):
        if outcome is None:
            missed += 1
            print(
                f"  NOT FOUND in {_MUTANT_HISTORIES} histories: {mutant.what} (invariant {mutant.invariant})"
            )
        else:
            print(f"  found with seed {outcome.seed}: {mutant.what}")
            print(f"      {outcome.violation}")
    return missed


def _break_one(number: int, first: int) -> Outcome | None:
    return find(MUTANTS[number], first, _MUTANT_HISTORIES)


if __name__ == "__main__":
    sys.exit(main())
