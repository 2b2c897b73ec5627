"""What became of each check, and what that says of the server. Pure; prints and runs nothing."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Final

from google.protobuf import json_format

from kruntimes.conformance.catalogue import Check, all_checks, profile_of
from kruntimes.runtime.v1.runtime_service_pb2 import HandshakeResponse

PROFILES: Final = ("core", "standard", "delegated", "function", "prepare", "artifact")


class Verdict(Enum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    NOT_WRITTEN = "not written"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check's verdict, why, and how long it took."""

    check: Check
    verdict: Verdict
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes of one pass over one server."""

    hello: HandshakeResponse
    outcomes: tuple[Outcome, ...]
    known_failing: frozenset[str]
    seconds: float
    scale: float

    def of(self, verdict: Verdict) -> list[Outcome]:
        """The outcomes with this verdict."""
        return [one for one in self.outcomes if one.verdict is verdict]

    @property
    def surprises(self) -> list[Outcome]:
        """What fails the pass: failures nobody expected, and expected ones that passed."""
        return [
            one
            for one in self.outcomes
            if (one.verdict is Verdict.FAILED and one.check.id not in self.known_failing)
            or (one.verdict is Verdict.PASSED and one.check.id in self.known_failing)
        ]

    def count(self, verdict: Verdict) -> int:
        """How many checks have this verdict."""
        return len(self.of(verdict))

    def reached(self) -> list[str]:
        """Profiles that are offered, judged whole, and without a failure; with what was not run."""
        found = []
        judged = {one.check.id for one in self.outcomes}
        for profile in PROFILES:
            written = {one.id for one in all_checks().values() if one.code and profile_of(one) == profile}
            tally = Counter(one.verdict for one in self.outcomes if profile_of(one.check) == profile)
            if (
                self._offers(profile)
                and written <= judged
                and tally[Verdict.PASSED]
                and not tally[Verdict.FAILED]
            ):
                left = f" ({tally[Verdict.NOT_RUN]} not run)" if tally[Verdict.NOT_RUN] else ""
                found.append(f"{profile}{left}")
        return found

    def _offers(self, profile: str) -> bool:
        """Standard is Watch, ReadOutput and Drain together."""
        can = self.hello.capabilities
        return profile != "standard" or all(can.HasField(name) for name in ("watch", "output", "drain"))

    def badge(self) -> str:
        """One line that says what this server reaches."""
        reached = " + ".join(self.reached()) or "none"
        return (
            f"kruntimes conformance: {reached} | {self.hello.server} {self.hello.server_version} | "
            f"protocol level {self.hello.feature_level} | suite {version('kruntimes')} | "
            f"{self.count(Verdict.PASSED)} passed, {self.count(Verdict.FAILED)} failed"
        )

    def as_json(self) -> dict[str, object]:
        """Everything, for programs."""
        return {
            "suite": version("kruntimes"),
            "server": self.hello.server,
            "serverVersion": self.hello.server_version,
            "featureLevel": self.hello.feature_level,
            "capabilities": json_format.MessageToDict(self.hello.capabilities),
            "profiles": self.reached(),
            "badge": self.badge(),
            "seconds": round(self.seconds, 3),
            "timeoutScale": self.scale,
            "counts": {verdict.value: self.count(verdict) for verdict in Verdict},
            "checks": [
                {
                    "id": one.check.id,
                    "name": one.check.name,
                    "rule": one.check.rule,
                    "profile": profile_of(one.check),
                    "priority": one.check.priority,
                    "verdict": one.verdict.value,
                    "why": one.why,
                    "seconds": round(one.seconds, 3),
                }
                for one in self.outcomes
            ],
        }
