"""The six invariants, checked at every commit, every start of code, and at the end; it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from kruntimes_core.model.events import Assigned, Event
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.resources import Amounts, add, fits, subtract
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import AcceptState, Member
from tests.simulation.api import MEMBERS, RUNS, RUNTIMES, Api, Stored
from tests.simulation.clockwork import Loop
from tests.simulation.scheduler import SchedulerProcess
from tests.simulation.server import UserCode

# A Run that fits a free member in calm times is assigned within this.
BOUND = 20.0


class Violation(Exception):
    """A rule that must always hold did not."""

    def __init__(self, invariant: int, message: str) -> None:
        super().__init__(invariant, message)
        self.invariant = invariant
        self.message = message

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.message}" if self.invariant else f"crash: {self.message}"


@dataclass(frozen=True)
class Interval:
    """User code that ran."""

    code: UserCode
    began: float


class Checker:
    """Watches everything from outside, knowing the truth at once."""

    def __init__(self, loop: Loop, api: Api) -> None:
        self.loop = loop
        self.api = api
        self.running: dict[UserCode, float] = {}
        self.codes: dict[RunKey, UserCode] = {}
        self.accepted: set[str] = set()
        self.deleted: set[str] = set()
        # The last said by each member: one that begins anew says nothing for a moment.
        self._capacity: dict[str, Amounts] = {}
        self._versions: dict[str, int] = {}
        self._life = 0
        self._fits_since: dict[str, float] = {}
        api.committed.append(self.committed)

    # Commits.

    def committed(self, old: Stored | None, new: Stored | None, event: Event | None) -> None:
        if isinstance(new, Member) and new.capacity:
            self._capacity[new.pod_uid] = new.capacity
        if isinstance(old, Run) and new is None:
            self.deleted.add(old.uid)
        if not isinstance(new, Run):
            return
        self.accepted.add(new.uid)
        if isinstance(old, Run) and _has_ended(old) and _result(old) != _result(new):
            raise Violation(1, f"{new.name} ended as {_result(old)} and became {_result(new)}")
        if new.phase is Phase.SUCCEEDED and not (isinstance(old, Run) and _has_ended(old)):
            code = self.codes.get(new.key)
            if code is None or not code.by_itself:
                raise Violation(1, f"{new.name} succeeded in attempt {new.attempt}, which never ended well")
        if isinstance(event, Assigned):
            self._check_room(new)

    def _check_room(self, run: Run) -> None:
        assert run.assignment is not None
        member = self.api.store[MEMBERS].get(run.assignment.pod)
        if not isinstance(member, Member) or member.pod_uid != run.assignment.pod_uid:
            return
        taken, capacity = self._taken(member), self._capacity.get(member.pod_uid, {})
        if not fits(taken, capacity):
            raise Violation(3, f"{run.name} overbooks {member.name}: {taken} of {dict(capacity)}")

    def _taken(self, member: Member) -> dict[str, int]:
        taken: dict[str, int] = {}
        for other in self.api.store[RUNS].values():
            assert isinstance(other, Run)
            here = other.assignment is not None and other.assignment.pod_uid == member.pod_uid
            if here and not _has_ended(other):
                taken = add(taken, other.requests)
        return taken

    # Code.

    def code_began(self, code: UserCode) -> None:
        known = self.codes.setdefault(code.key, code)
        if known is not code:
            raise Violation(2, f"{code.key} was started twice")
        for other in self.running:
            if other.key.uid == code.key.uid:
                raise Violation(2, f"{code.key} began while {other.key} still ran")
        self.running[code] = self.loop.now

    def code_ended(self, code: UserCode) -> None:
        self.running.pop(code, None)

    # The scheduler.

    def decided(self, scheduler: SchedulerProcess) -> None:
        if scheduler.life != self._life:
            self._life = scheduler.life
            self._versions.clear()
        board = scheduler.board
        for uid in self.accepted - self.deleted:
            version = board.known_version(uid)
            if version is None:
                continue
            if version < self._versions.get(uid, 0):
                raise Violation(5, f"{uid} went back from {self._versions[uid]} to {version}")
            self._versions[uid] = version
        stranded = board.stranded()
        if stranded:
            raise Violation(6, f"nothing would ever wake {', '.join(stranded)}")

    # Calm times.

    def sample(self) -> None:
        """See that nobody waits who fits."""
        members = [item for item in self.api.store[MEMBERS].values() if isinstance(item, Member)]
        free = {
            member.name: subtract(member.capacity, self._taken(member))
            for member in members
            if _takes_runs(member)
        }
        for run in self.api.store[RUNS].values():
            assert isinstance(run, Run)
            if not self._could_go(run, free):
                self._fits_since.pop(run.uid, None)
                continue
            since = self._fits_since.setdefault(run.uid, self.loop.now)
            if self.loop.now - since > BOUND:
                raise Violation(
                    4, f"{run.name} fits and waits since {since:.1f} s, reason {run.reason or 'none'}"
                )

    def _could_go(self, run: Run, free: dict[str, dict[str, int]]) -> bool:
        if run.phase is not Phase.PENDING or run.runtime not in self.api.store[RUNTIMES]:
            return False
        return any(fits(run.requests, room) for pod, room in free.items() if pod not in run.excluded)

    # The end.

    def all_done(self) -> bool:
        return all(
            isinstance(run, Run) and (_has_ended(run) or self._waits_rightly(run))
            for run in self.api.store[RUNS].values()
        )

    def _waits_rightly(self, run: Run) -> bool:
        if run.phase is not Phase.PENDING:
            return False
        if run.runtime not in self.api.store[RUNTIMES]:
            return run.reason == Reason.NO_SUCH_RUNTIME
        members = [item for item in self.api.store[MEMBERS].values() if isinstance(item, Member)]
        never = not any(fits(run.requests, member.capacity) for member in members if _takes_runs(member))
        return never and run.reason == Reason.NEVER_FITS

    def check_end(self, scheduler: SchedulerProcess) -> None:
        for run in self.api.store[RUNS].values():
            assert isinstance(run, Run)
            if not _has_ended(run) and not self._waits_rightly(run):
                raise Violation(
                    1, f"{run.name} is {run.phase}, reason {run.reason or 'none'}, long after the last fault"
                )
        if self.running:
            left = ", ".join(str(code.key) for code in self.running)
            raise Violation(1, f"code of ended or deleted Runs goes on: {left}")
        for channel in scheduler.channels:
            if channel.kind == MEMBERS:
                continue  # renewed all the time
            seen = {item.uid: item.version for item in channel.mirror}
            truth = {item.uid: item.version for item in self.api.store[channel.kind].values()}
            if seen != truth:
                raise Violation(
                    5, f"the scheduler's {channel.kind} differ from the store's: {seen} and {truth}"
                )


def _takes_runs(member: Member) -> bool:
    return member.instance != "" and member.accept_state in (AcceptState.ACCEPTING, AcceptState.SATURATED)


def _has_ended(run: Run) -> bool:
    """Ask the phase alone: the model's own answer is under test."""
    return run.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMEOUT, Phase.CANCELLED)


def _result(run: Run) -> tuple[object, ...]:
    return run.phase, run.attempt, run.reason, run.message, run.assignment
