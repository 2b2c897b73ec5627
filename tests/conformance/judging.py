"""One pass of the suite over a mutant, or over the honest server; tells which checks failed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kruntimes.conformance.client import Settings
from kruntimes.conformance.engine import Options, run_suite
from kruntimes.conformance.pack import read_pack
from kruntimes.conformance.report import Report, Verdict

from tests.conformance.proxy import Fronted, Proxy

ROOT: Final = Path(__file__).resolve().parents[2]
# Everything is in this process, so the waits can be short; a busy machine still gets four seconds for an end.
SCALE: Final = 0.2


async def judged(kind: type[Proxy], checks: Iterable[str] = ("*",)) -> Report:
    """The suite's report, each call sent once: a mutant must fail its checks and no others by the repeats."""
    pack = read_pack(ROOT / "runtime_servers" / "fake" / "fixtures.yaml")
    options = Options(run=tuple(checks), calls=Settings(scale=SCALE, repeat=False))
    return await run_suite(Fronted(kind), pack, options)


def failures(report: Report) -> dict[str, str]:
    """What was seen by each check that failed."""
    return {one.check.id: one.why for one in report.of(Verdict.FAILED)}
