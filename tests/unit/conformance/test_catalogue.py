"""The catalogue, the code of the checks and the published text say the same."""

import re
from pathlib import Path

import pytest
from kruntimes.conformance.catalogue import Check, all_checks, check, profile_of
from kruntimes.conformance.needs import lacking
from kruntimes.conformance.pack import FIXTURES

from tests.unit.conformance.facts import make_facts

SPEC = Path(__file__).resolve().parents[3] / "proto" / "SPEC.md"
ID = re.compile(r"\[([A-Z]{2}-\d\d)\]")
# Preparation and functions have numbers kept for them in the protocol, and no rules yet.
WITHOUT_RULES = ("PR", "FN")

WRITTEN = [one for one in all_checks().values() if one.code is not None]


def anchors() -> set[str]:
    return set(ID.findall(SPEC.read_text()))


def test_every_id_in_the_text_is_a_check() -> None:
    assert anchors() - all_checks().keys() == set()


def test_every_check_is_anchored_at_its_rule() -> None:
    bare = {one for one in all_checks() if not one.startswith(WITHOUT_RULES)} - anchors()

    assert bare == set()


def test_every_demand_in_the_text_names_its_check() -> None:
    text = SPEC.read_text().split("## Shape")[1]
    units = re.split(r"\n\s*\n|\n(?=- )|\n(?=\|)", text)

    bare = [unit for unit in units if "MUST" in unit and not re.search(r"\[[A-Z]{2}-\d\d\]", unit)]

    assert bare == []


def test_the_first_priority_of_core_and_standard_is_written_but_for_secrets() -> None:
    missing = [
        one.id
        for one in all_checks().values()
        if one.priority == 1 and profile_of(one) in ("core", "standard") and one.code is None
    ]

    assert missing == ["SE-05"]


@pytest.mark.parametrize("one", WRITTEN, ids=lambda one: one.id)
def test_a_written_check_needs_only_what_there_is_a_rule_for(one: Check) -> None:
    assert set(one.fixtures) <= FIXTURES.keys()
    lacking(one, make_facts())  # a need that nobody knows raises ValueError


def test_a_check_is_written_once() -> None:
    with pytest.raises(ValueError, match="ST-02 is written twice"):
        check("ST-02")(_nothing)


async def _nothing(_: object) -> None:
    return None
