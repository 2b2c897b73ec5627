"""A sample of histories keeps every invariant, and every broken rule is found."""

import pytest

from tests.simulation.history import play
from tests.simulation.mutants import MUTANTS, Mutant, find

SAMPLE = range(1, 101)


def test_every_invariant_holds_in_a_sample_of_histories() -> None:
    violated = {seed: str(outcome.violation) for seed in SAMPLE if (outcome := play(seed)).violation}
    assert violated == {}


def test_a_seed_is_one_history() -> None:
    once, again = play(7), play(7)
    assert (once.steps, once.commits, once.happened) == (again.steps, again.commits, again.happened)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.what for mutant in MUTANTS])
def test_a_broken_rule_is_found(mutant: Mutant) -> None:
    found = find(mutant, first_seed=1, most=300)
    assert found is not None
    assert found.violation is not None
    assert found.violation.invariant == mutant.invariant


def test_every_invariant_has_a_rule_that_is_broken_for_it() -> None:
    assert {mutant.invariant for mutant in MUTANTS} == {1, 2, 3, 4, 5, 6}
