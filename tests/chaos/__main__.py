"""`make chaos`: carries out the scenarios and prints what became of the Runs; 1 unless all went well."""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass

from tests.chaos.scenarios import SAMPLE, SCENARIOS
from tests.chaos.stage import ScenarioFailed, Theatre
from tests.chaos.verdict import Verdict

COUNTS = f"{'runs':>5} {'lost':>5} {'doubled':>8} {'stuck':>6} {'left':>5}"
HEADER = f"{'scenario':34} {COUNTS}  {'s':>5}  kills by phase; ends"


@dataclass(frozen=True)
class Outcome:
    """One scenario as it went."""

    name: str
    runs: int
    verdict: Verdict
    hits: dict[str, int]
    left: int
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, stuck, failed or left running, and every kill landed."""
        verdict = self.verdict
        wrong = verdict.lost + verdict.doubled + verdict.stuck + self.left
        return (
            not wrong and set(verdict.phases) <= {"Succeeded"} and all(self.hits.values()) and bool(self.hits)
        )

    def row(self) -> str:
        """Return its line of the table."""
        verdict = self.verdict
        numbers = f"{self.runs:5} {verdict.lost:5} {verdict.doubled:8} {verdict.stuck:6} {self.left:5}"
        hits = " ".join(f"{phase}={count}" for phase, count in self.hits.items()) or "no hits"
        ends = " ".join(f"{phase}={count}" for phase, count in verdict.phases.items())
        wrong = "" if self.good else "  <- WRONG"
        return f"{self.name:34} {numbers}  {self.seconds:5.1f}  {hits}; {ends}{wrong}"


async def perform(name: str, runs: int, seed: int) -> Outcome:
    """Carry out one scenario on a control plane of its own."""
    async with Theatre(seed) as stage:
        began = time.monotonic()
        await SCENARIOS[name](stage, runs)
        left = await stage.quiet()
        took = time.monotonic() - began
        return Outcome(name, len(stage.acknowledged), stage.verdict(), dict(stage.hits), left, took)


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--sample", action="store_true", help="only the scenarios that CI has time for")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only these")
    given = parser.parse_args()
    names = given.scenario or (SAMPLE if given.sample else SCENARIOS)
    print(f"seed {given.seed}, {given.runs} Runs for each scenario\n{HEADER}", flush=True)
    bad = 0
    for name in names:
        try:
            outcome = asyncio.run(perform(name, given.runs, given.seed))
        except ScenarioFailed as error:
            print(f"{name:34} could not be carried out: {error}  <- WRONG", flush=True)
            bad += 1
            continue
        print(outcome.row(), flush=True)
        bad += not outcome.good
    print(f"{len(names) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
