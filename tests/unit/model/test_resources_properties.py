"""What holds for all amounts, not only for those somebody thought of."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from kruntimes_core.model.resources import add, fits, parse_duration, parse_quantity, subtract

EXAMPLES = settings(derandomize=True, database=None, deadline=None, max_examples=60)
NAMES = st.sampled_from(["runs", "cpu", "memory", "example.com/gpu"])
AMOUNTS = st.dictionaries(NAMES, st.integers(0, 2**40))
SCALES = {
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
}


@EXAMPLES
@given(
    name=NAMES,
    whole=st.integers(0, 10**6),
    decimals=st.text("0123456789", max_size=6),
    suffix=st.sampled_from(sorted(SCALES)),
)
def test_a_quantity_is_rounded_up_and_by_less_than_one_unit(
    name: str, whole: int, decimals: str, suffix: str
) -> None:
    exact = Fraction(f"{whole}.{decimals or 0}") * SCALES[suffix] * (1000 if name == "cpu" else 1)
    amount = parse_quantity(name, f"{whole}.{decimals}{suffix}")
    assert exact <= amount < exact + 1


@EXAMPLES
@given(hours=st.integers(0, 99), minutes=st.integers(0, 999), milliseconds=st.integers(0, 10**6))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, milliseconds: int) -> None:
    exact = Fraction(milliseconds, 1000) + 60 * minutes + 3600 * hours
    assert parse_duration(f"{hours}h{minutes}m{milliseconds}ms") == float(exact)


@EXAMPLES
@given(left=AMOUNTS, right=AMOUNTS)
def test_what_was_added_can_be_taken_away(left: dict[str, int], right: dict[str, int]) -> None:
    rest = subtract(add(left, right), right)
    assert {name: amount for name, amount in rest.items() if amount} == {
        name: amount for name, amount in left.items() if amount
    }


@EXAMPLES
@given(wanted=AMOUNTS, free=AMOUNTS)
def test_what_fits_leaves_nothing_below_zero_and_what_does_not_would(
    wanted: dict[str, int], free: dict[str, int]
) -> None:
    assert fits(wanted, free) == (min(subtract(free, wanted).values(), default=0) >= 0)


@EXAMPLES
@given(wanted=AMOUNTS, free=AMOUNTS, more=AMOUNTS)
def test_more_room_never_keeps_a_run_out(
    wanted: dict[str, int], free: dict[str, int], more: dict[str, int]
) -> None:
    assert not fits(wanted, free) or fits(wanted, add(free, more))
