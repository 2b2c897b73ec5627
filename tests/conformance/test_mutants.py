"""Each mutant is caught by the checks it is listed with; `make conformance` shows that no others fail."""

import pytest
from kruntimes.conformance.report import Verdict

from tests.conformance.judging import failures, judged
from tests.conformance.mutants import MUTANTS, Mutant
from tests.conformance.proxy import Proxy


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_broken_rule_fails_its_checks(mutant: Mutant) -> None:
    # RO-08 judges the codes of all others.
    checks = ["*"] if "RO-08" in mutant.checks else sorted(mutant.checks)

    report = await judged(mutant.kind, checks)

    assert set(failures(report)) == mutant.checks


async def test_the_honest_server_keeps_the_rules_that_mutants_break() -> None:
    checks = sorted({check for mutant in MUTANTS for check in mutant.checks})

    report = await judged(Proxy, checks)

    assert {one.check.id: one.why for one in report.outcomes if one.verdict is not Verdict.PASSED} == {}
