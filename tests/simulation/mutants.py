"""The real rules, each broken on purpose: a simulator that does not find them would find nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from kruntimes_core.daemon import calls
from kruntimes_core.daemon.duty import Lane
from kruntimes_core.daemon.fence import Fence
from kruntimes_core.kube import mirror
from kruntimes_core.model import run as model
from kruntimes_core.model.events import Requeued
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.items import Item
from kruntimes_core.scheduling.leases import LeaseClock
from kruntimes_core.scheduling.ledger import Ledger
from kruntimes_core.scheduling.pool import Pool
from tests.simulation.history import Outcome, play


@dataclass(frozen=True)
class Mutant:
    """One broken rule, and the invariant that must notice."""

    invariant: int
    what: str
    changes: tuple[tuple[Any, str, Any], ...]

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Break the rule for a while."""
        with ExitStack() as stack:
            for owner, name, wrong in self.changes:
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, wrong)
            yield


def find(mutant: Mutant, first_seed: int, most: int) -> Outcome | None:
    """Return the first history in which the mutant's invariant does not hold."""
    with mutant.broken():
        for seed in range(first_seed, first_seed + most):
            outcome = play(seed)
            if outcome.violation is not None and outcome.violation.invariant == mutant.invariant:
                return outcome
    return None


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _transitions_without_end() -> Mapping[Phase, Mapping[Any, Phase]]:
    rows: dict[Phase, Mapping[Any, Phase]] = dict(model.TRANSITIONS)
    for phase in model.TERMINAL:
        rows[phase] = {Requeued: Phase.PENDING}
    return rows


def _has_ended_badly(run: Run) -> bool:
    return run.phase in model.TERMINAL and run.phase is not Phase.SUCCEEDED


def _charge_without_taking(self: Account, uid: str, amounts: Any) -> None:
    self.charges[uid] = amounts


def _believe_everything(change: Callable[..., None]) -> Callable[..., None]:
    def run_changed(self: Ledger, run: Run, now: Any) -> None:
        known = self.items.get(run.uid)
        if known is not None:
            known.version, known.floor = -1, 0
        change(self, run, now)

    return run_changed


def _never_up(self: Fence, now: float) -> bool:
    was, self.up, self.tripped = self.up, self.until < 0, False
    return was != self.up


def _arm_without_hold(arm: Callable[..., None]) -> Callable[..., None]:
    def arm_most(self: Ledger, item: Item, uid: str, word: str, when: float) -> None:
        if word != "hold":
            arm(self, item, uid, word, when)

    return arm_most


def _give_up(self: Lane, now: float, first: float, longest: float) -> None:
    self.after = float("inf")


def _lost_early(self: LeaseClock, account: Account) -> float:
    return account.seen + 6.0


def _never_lost(self: LeaseClock, account: Account, due: float, now: float) -> float:
    return now + 1.0


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        1,
        "a Run that succeeded is requeued with its member",
        (
            (model.Run, "is_terminal", property(_has_ended_badly)),
            (model, "TRANSITIONS", _transitions_without_end()),
        ),
    ),
    Mutant(1, "a lost member is never noticed", ((LeaseClock, "judge", _never_lost),)),
    Mutant(1, "a write that failed is not repeated", ((Lane, "again", _give_up),)),
    Mutant(1, "what the API no longer knows is not stopped", ((calls, "_put_away", _nothing),)),
    Mutant(2, "the daemon ignores its fence", ((Fence, "check", _never_up),)),
    Mutant(2, "the daemon's fence stops nothing", ((calls, "_stop_behind_fence", _nothing),)),
    Mutant(2, "a member counts as lost before its lease is over", ((LeaseClock, "lost_at", _lost_early),)),
    Mutant(3, "what was assigned is not counted", ((Account, "charge", _charge_without_taking),)),
    Mutant(4, "nothing is ever assigned", ((Pool, "next", _nothing),)),
    Mutant(4, "parked shapes are never woken", ((Pool, "wake", _nothing),)),
    Mutant(
        5,
        "an older version is believed",
        (
            (mirror, "is_older", lambda version, than: False),
            (Ledger, "run_changed", _believe_everything(Ledger.run_changed)),
        ),
    ),
    Mutant(6, "a waiting Run has no timer", ((Ledger, "arm", _arm_without_hold(Ledger.arm)),)),
)
