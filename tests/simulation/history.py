"""One seed, one history: what happens when, and whether every rule held; it knows no rule itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.simulation import faults
from tests.simulation.checker import Violation
from tests.simulation.clockwork import Loop
from tests.simulation.cluster import Cluster

_TROUBLE = 60.0
_CALM = 400.0
# Until then a watch may lag from before.
_SETTLING = 12.0


@dataclass
class Outcome:
    """What became of one history."""

    seed: int
    steps: int = 0
    runs: int = 0
    commits: int = 0
    seconds: float = 0.0
    happened: list[str] = field(default_factory=list)
    violation: Violation | None = None


def play(seed: int) -> Outcome:
    """Play the history of a seed."""
    return _History(seed).play()


class _History:
    def __init__(self, seed: int) -> None:
        self.loop = Loop(seed)
        rng = self.loop.rng
        capacity = {"runs": rng.choice((1, 2, 4)), "cpu": rng.choice((2000, 4000)), "memory": 1 << 30}
        self.outcome = Outcome(seed)
        self.cluster = Cluster(self.loop, rng.choice((1, 2, 2, 3)), capacity)
        self.calm = False
        self._plan()

    def play(self) -> Outcome:
        try:
            self.loop.run(_TROUBLE, lambda: False)
            self._note("heal")
            self.cluster.heal()
            self.calm = True
            # What ended its fault by itself may still be on its way: calm begins when leases are fresh again.
            self.loop.after(20.0, self._sample)
            self.loop.run(_TROUBLE + _CALM, self._is_over)
            self.loop.run(self.loop.now + 3.0, lambda: False)
            self.cluster.checker.check_end(self.cluster.scheduler)
        except Violation as violation:
            self.outcome.violation = violation
        except Exception as error:  # a crash of a machine is found like any broken rule, with its seed
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.outcome.violation = Violation(0, f"{error!r} at {where.name}, line {where.lineno}")
        self.outcome.steps = self.loop.steps
        self.outcome.runs = len(self.cluster.checker.accepted)
        self.outcome.commits = self.cluster.api.version
        self.outcome.seconds = self.loop.now
        return self.outcome

    def _is_over(self) -> bool:
        return (
            self.loop.now > _TROUBLE + _SETTLING
            and self.cluster.checker.all_done()
            and not self.cluster.checker.running
        )

    def _sample(self) -> None:
        self.cluster.checker.sample()
        self.loop.after(1.0, self._sample)

    def _plan(self) -> None:
        rng = self.loop.rng
        for number in range(rng.randint(5, 14)):
            self._at(rng.uniform(0.5, 40.0), "create", partial(faults.create, self.cluster, number))
        for _ in range(rng.randint(0, 4)):
            act = rng.choice(faults.USERS)
            self._at(rng.uniform(1.0, 55.0), act.__name__, partial(act, self.cluster))
        for _ in range(rng.randint(1, 3)):
            self._at(rng.uniform(1.0, 50.0), "", self._fault_of_member)
        for _ in range(rng.randint(0, 2)):
            act = rng.choice(faults.CLUSTER_FAULTS)
            self._at(rng.uniform(1.0, 50.0), act.__name__, partial(act, self.cluster))

    def _at(self, when: float, name: str, act: Callable[[], None]) -> None:
        def happen() -> None:
            if self.calm:
                return
            if (self.cluster.api.down or self.cluster.api.paused) and name == "create":
                self.loop.after(5.0, happen)  # users wait for the API, too
                return
            if name:
                self._note(name)
            act()

        self.loop.after(when, happen)

    def _fault_of_member(self) -> None:
        rng = self.loop.rng
        pods = [pod for pod in self.cluster.living if pod.busy_until <= self.loop.now]
        if not pods:
            return
        pod, fault = rng.choice(pods), rng.choice(faults.MEMBER_FAULTS)
        self._note(f"{fault.__name__} {pod.name}")
        # Two faults of one member are kept apart by more than a lease, as two causes of one loss.
        pod.busy_until = self.loop.now + fault(self.cluster, pod) + 16.0

    def _note(self, what: str) -> None:
        self.outcome.happened.append(f"{self.loop.now:7.2f}  {what}")
