"""Passes over a server in this process: one that is given, calls that are repeated, selections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kruntimes.conformance.client import Settings
from kruntimes.conformance.engine import NoServer, Options, run_suite
from kruntimes.conformance.pack import Pack, read_pack
from kruntimes.conformance.report import Report, Verdict
from kruntimes.conformance.target import Given

from tests.conformance.judging import ROOT, SCALE
from tests.conformance.proxy import Front, Fronted, Proxy
from tests.conformance.starting import NoTombstone

# Enough to see each manner of running a check.
SOME = ("HS-0[123]", "ST-02", "RC-01", "DR-0*", "TI-08", "SE-03", "RO-08", "PR-01")


@pytest.fixture
def pack() -> Pack:
    return read_pack(ROOT / "runtime_servers" / "fake" / "fixtures.yaml")


@dataclass(frozen=True)
class Shared:
    """Somebody else's server: every pass gets the same."""

    front: Front
    fresh: bool = False

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Front]:
        yield self.front


def ids(report: Report, verdict: Verdict) -> list[str]:
    return [one.check.id for one in report.of(verdict)]


async def test_a_given_server_is_not_drained_nor_left_with_runs(pack: Pack) -> None:
    options = Options(run=SOME, calls=Settings(SCALE))

    async with Fronted().server() as front:
        report = await run_suite(Shared(front), pack, options)
        again = await run_suite(Shared(front), pack, Options(run=("HL-02", "GL-03"), calls=Settings(SCALE)))

    assert ids(report, Verdict.FAILED) == []
    assert ids(report, Verdict.NOT_RUN) == ["HS-03", "DR-01", "DR-02", "DR-03", "DR-05"]
    assert ids(report, Verdict.NOT_WRITTEN) == ["DR-04", "DR-06", "PR-01"]
    assert ids(report, Verdict.PASSED) == ["HS-01", "HS-02", "ST-02", "TI-08", "RC-01", "SE-03", "RO-08"]
    assert ids(again, Verdict.PASSED) == ["HL-02", "GL-03"]


async def test_outcomes_are_told_as_they_come(pack: Pack) -> None:
    told: list[str] = []
    options = Options(
        run=("GL-0*",), told=lambda outcome: told.append(outcome.check.id), calls=Settings(SCALE)
    )

    report = await run_suite(Fronted(), pack, options)

    assert sorted(told) == ids(report, Verdict.PASSED)


async def test_a_pattern_may_be_a_name_and_skips_win(pack: Pack) -> None:
    options = Options(run=("*unknown*",), skip=("CA-*",), calls=Settings(SCALE))

    report = await run_suite(Fronted(), pack, options)

    assert ids(report, Verdict.PASSED) == ["ST-16", "GL-01", "FO-04", "RC-04"]


class ForgetsToAnswerTwice(Proxy):
    """The second of two equal calls is answered otherwise."""

    _cancelled = False

    async def CancelRun(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self._cancelled:
            request.reason = "lower case"
        self._cancelled = True
        return await self.pass_on("CancelRun", request, context)


async def test_a_call_that_may_be_repeated_is_sent_twice(pack: Pack) -> None:
    once = Options(run=("CA-01",), calls=Settings(SCALE, repeat=False))
    twice = Options(run=("CA-01",), calls=Settings(SCALE))

    assert ids(await run_suite(Fronted(ForgetsToAnswerTwice), pack, once), Verdict.PASSED) == ["CA-01"]
    (outcome,) = (await run_suite(Fronted(ForgetsToAnswerTwice), pack, twice)).outcomes
    assert outcome.verdict is Verdict.FAILED
    assert outcome.why == "CancelRun answered OK, and INVALID_ARGUMENT when the same call came again"


async def test_known_failures_are_run_and_reported(pack: Pack) -> None:
    known = frozenset({"FO-05", "FO-04"})
    options = Options(run=("FO-04", "FO-05"), known_failing=known, calls=Settings(SCALE))

    report = await run_suite(Fronted(NoTombstone), pack, options)

    assert ids(report, Verdict.FAILED) == ["FO-05"]
    assert [one.check.id for one in report.surprises] == ["FO-04"]


async def test_where_nobody_answers_nothing_is_judged(pack: Pack, tmp_path: Path) -> None:
    target = Given(f"unix:{tmp_path}/nobody.sock")

    async with asyncio.timeout(20):
        with pytest.raises(NoServer, match="nothing listens at"):
            await run_suite(target, pack, Options(calls=Settings(0.01)))
