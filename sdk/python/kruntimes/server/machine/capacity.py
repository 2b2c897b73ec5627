"""What there is, what is taken, what is free. Pure; never overbooks."""

from collections.abc import Mapping

from kruntimes.server.refusals import refusal


class Amounts:
    """The capacity books, by resource name in base units."""

    def __init__(self, own: Mapping[str, int]) -> None:
        self._own = dict(own)
        self._taken = dict.fromkeys(own, 0)
        self.total: Mapping[str, int] = dict(own)

    def grant(self, granted: Mapping[str, int]) -> None:
        """Offer the lesser of the server's own and what the Runtime object grants, name by name."""
        self.total = {name: min(own, granted.get(name, own)) for name, own in self._own.items()}

    def available(self) -> dict[str, int]:
        """What is free now; never negative, also after a grant below what is taken."""
        return {name: max(0, amount - self._taken[name]) for name, amount in self.total.items()}

    def check(self, requests: Mapping[str, int]) -> None:
        """Refuse OUT_OF_RANGE EXCEEDS_TOTAL what could never fit."""
        for name, amount in requests.items():
            total = self.total.get(name, 0)
            if amount > total:
                raise refusal("EXCEEDS_TOTAL", name=name, amount=amount, total=total)

    def lacking(self, requests: Mapping[str, int]) -> str:
        """The first name that does not fit now; empty when all fit."""
        for name, amount in requests.items():
            if amount > 0 and self._taken.get(name, 0) + amount > self.total.get(name, 0):
                return name
        return ""

    def take(self, requests: Mapping[str, int]) -> None:
        """Book what `lacking` found to fit."""
        for name, amount in requests.items():
            if amount:
                self._taken[name] += amount

    def give_back(self, requests: Mapping[str, int]) -> None:
        """Free what was taken."""
        for name, amount in requests.items():
            if amount:
                self._taken[name] -= amount

    def full(self) -> bool:
        """True when no slot (`runs`) is left, or where there are no slots, when any resource is used up."""
        total = self.total
        if "runs" in total:
            return self._taken["runs"] >= total["runs"]
        return any(0 < total[name] <= self._taken[name] for name in total)
