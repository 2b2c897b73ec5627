"""Which of the members that may is best; the score looks at the member alone, so that members stay sorted."""

from __future__ import annotations

from kruntimes_core.model.resources import Amounts


def freeness(free: Amounts, capacity: Amounts) -> float:
    """Return how free a member is, from 0 to 1: the smallest free share of anything it has.

    Most free first spreads Runs. A score that depended on the Run would have to visit every member.
    """
    least = 1.0
    for name, total in capacity.items():
        if total > 0:
            share = free.get(name, 0) / total
            if share < least:
                least = share
    return least
