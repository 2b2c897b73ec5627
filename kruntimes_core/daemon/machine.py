"""The daemon's machine: takes what it sees, answers with instructions. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

from kruntimes_core.daemon.calls import next_call
from kruntimes_core.daemon.duty import Duty, Try
from kruntimes_core.daemon.fence import NEVER, Fence
from kruntimes_core.daemon.following import follow_at, next_follow
from kruntimes_core.daemon.instructions import Fill, Handshake, Instruction, OfRun, Outcome, Resync
from kruntimes_core.daemon.outcomes import take, take_snapshot
from kruntimes_core.daemon.server import ServerRun, ServerStatus
from kruntimes_core.daemon.settings import DEFAULTS, Settings
from kruntimes_core.daemon.standing import Seat, Standing
from kruntimes_core.daemon.writes import next_write, running_long_at
from kruntimes_core.model.identity import RunKey
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.resources import Amounts
from kruntimes_core.model.run import Run
from kruntimes_core.model.runtime import AcceptState
from kruntimes_core.model.timers import Timers

__all__ = ["Announcement", "Daemon", "Seat"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the member's lease says in its annotation; written when it differs from what was written last."""

    instance: str = ""
    accept_state: AcceptState = AcceptState.NOT_READY
    capacity: Amounts = field(default_factory=dict)


class Daemon:
    """All that one daemon knows of its Runs, and what is to be done.

    The shell, from one thread: hands in what it sees, calls `decide` after it and when `wake_at` is
    reached, carries out the instructions side by side, and hands each outcome to `done`.
    It renews the lease by itself, from its start on. The first `decide` asks for Resync; Handshake is
    asked for once the lease is held, so that a server whose daemon cannot reach the API stops its Runs.
    """

    def __init__(self, seat: Seat, settings: Settings = DEFAULTS) -> None:
        """Begin knowing nothing, with no lease: nothing is started before one was renewed."""
        self._standing = Standing(seat, settings, Fence(settings.fence_after))
        self._duties: dict[str, Duty] = {}
        self._dirty: dict[str, None] = {}
        self._timers: Timers[str] = Timers()

    # What the API shows.

    def run_changed(self, run: Run, now: Instant) -> None:
        """Take a version of a Run assigned to this member."""
        duty = self._duty(run.uid)
        if int(run.version) <= duty.version:
            return
        duty.run, duty.version, duty.grace = run, int(run.version), run.grace
        self._refresh(duty, run, now)

    def run_gone(self, uid: str, now: Instant) -> None:
        """Take note that a Run left the selection: deleted, or assigned to this member no more."""
        duty = self._duty(uid)
        duty.run = duty.current = None
        duty.version = duty.disowned = -1

    def runs_synced(self, now: Instant) -> None:
        """Take note that the list asked for by Resync is complete: what it lacked was handed in as gone."""
        self._standing.resyncing = False
        self._standing.synced_once = True
        self._standing.api_synced = not self._standing.resync_wanted
        self._dirty_all()

    def lease_renewed(self, sent_at: float, now: Instant) -> None:
        """The API acknowledged a renewal of the lease; `sent_at` is the monotonic time before it was sent."""
        self._standing.fence.renewed(sent_at)

    # What the server shows.

    def handshaken(self, status: ServerStatus, now: Instant) -> None:
        """The server answered Handshake; another instance than before means that its Runs are gone."""
        if status.instance != self._standing.instance:
            for duty in self._duties.values():
                for attempt in list(duty.server):
                    duty.drop_snapshot(attempt)
        self._standing.connect(status)
        for duty in self._duties.values():
            duty.missing.update(duty.server)  # until they are seen again
        self._dirty_all()

    def server_lost(self, now: Instant) -> None:
        """Handshake failed, Watch broke, or a call found nobody: another Handshake will be asked for."""
        self._standing.disconnect(now.monotonic)
        self._dirty_all()

    def server_status(self, status: ServerStatus, now: Instant) -> None:
        """Take a status from Watch."""
        if status.instance == self._standing.instance:
            self._standing.show(status)
            self._dirty_all()

    def server_run(self, snapshot: ServerRun, now: Instant) -> None:
        """Take a snapshot of a Run from Watch, or from a list."""
        take_snapshot(self._duty(snapshot.key.uid), snapshot, self._standing, now)

    def server_forgot(self, key: RunKey, now: Instant) -> None:
        """The server holds nothing of that key any more."""
        if key.uid in self._duties:
            self._duty(key.uid).drop_snapshot(key.attempt)

    def server_synced(self, now: Instant) -> None:
        """Watch's first part, or a whole list, is complete: Runs that it lacked are not there."""
        self._standing.server_synced = self._standing.connected
        self._dirty_all()

    # Work.

    def decide(self, now: Instant) -> list[Instruction]:
        """Return what is to be done now."""
        instructions: list[Instruction] = []
        self._check_fence(now)
        self._see_to_member(instructions, now)
        self._dirty.update(dict.fromkeys(uid for uid, _ in self._timers.pop_due(now.monotonic)))
        while self._dirty:
            uid = next(iter(self._dirty))
            del self._dirty[uid]
            duty = self._duties.get(uid)
            if duty is not None:
                self._see_to(duty, instructions, now)
        return instructions

    def done(self, instruction: OfRun, outcome: Outcome, now: Instant) -> None:
        """Take the outcome of an instruction for one Run."""
        duty = self._duty(instruction.key.uid)
        take(duty, instruction, outcome, self._standing, now)
        if duty.run is not None:
            self._refresh(duty, duty.run, now)

    def wake_at(self) -> float | None:
        """Return the monotonic time at which `decide` has work though nothing happened, if there is one."""
        if self._dirty:
            return NEVER
        standing = self._standing
        times = [self._timers.next()]
        if not standing.fence.up:
            times.append(standing.fence.until)
        if not standing.connected and not standing.shaking and standing.fence.until != NEVER:
            times.append(standing.handshake_at)
        return min((time for time in times if time is not None), default=None)

    @property
    def announcement(self) -> Announcement:
        """Return what the lease's annotation should say now."""
        standing = self._standing
        if not standing.server_synced:
            return Announcement(capacity=standing.capacity)
        return Announcement(standing.instance, standing.accept_state, standing.capacity)

    @property
    def fenced(self) -> bool:
        """Return whether the lease is over or was never held, as of the last `decide`."""
        return self._standing.fence.up

    @property
    def active(self) -> int:
        """Return how many Runs this daemon answers for; a drain waits until there are none."""
        return sum(duty.current is not None or bool(duty.server) for duty in self._duties.values())

    # The member.

    def _check_fence(self, now: Instant) -> None:
        fence, standing = self._standing.fence, self._standing
        changed = fence.check(now.monotonic)
        if fence.tripped:
            fence.tripped = False
            changed = True
            standing.api_synced, standing.resync_wanted = False, True
            for duty in self._duties.values():
                if duty.current is not None:
                    # Others may have decided on it meanwhile: the API has to say that it is still ours.
                    duty.current.claim, duty.current.claimed = True, False
                    duty.current.claim_from = standing.number()
        if changed:
            self._dirty_all()

    def _see_to_member(self, instructions: list[Instruction], now: Instant) -> None:
        standing = self._standing
        # A list from before the lease was renewed could be overtaken by the scheduler's decision.
        may_list = not standing.fence.up or not standing.synced_once
        if standing.resync_wanted and may_list and not standing.resyncing:
            standing.resync_wanted, standing.resyncing = False, True
            instructions.append(Resync())
        due = now.monotonic >= standing.handshake_at and standing.fence.until != NEVER
        if due and not standing.connected and not standing.shaking:
            standing.shaking = True
            instructions.append(Handshake())

    # Runs.

    def _duty(self, uid: str) -> Duty:
        duty = self._duties.get(uid)
        if duty is None:
            duty = self._duties[uid] = Duty(uid)
        self._dirty[uid] = None
        return duty

    def _dirty_all(self) -> None:
        self._dirty.update(dict.fromkeys(self._duties))

    def _refresh(self, duty: Duty, run: Run, now: Instant) -> None:
        """See whether the Run is this member's, and in which attempt."""
        mine = run.assignment is not None and run.assignment.pod_uid == self._standing.seat.pod_uid
        if not mine or run.is_terminal or duty.version <= duty.disowned:
            duty.current = None
            return
        if duty.current is None or duty.current.key != run.key:
            inherited = not self._standing.synced_once
            late_at = now.monotonic + self._fresh_for(run, now)
            duty.current = Try(run.key, inherited, claim=inherited, late_at=late_at)
            missing = run.attempt in duty.missing
            snapshot = duty.server.pop(run.attempt, None)
            if snapshot is not None:
                take_snapshot(duty, snapshot, self._standing, now)
            if missing:
                duty.missing.add(run.attempt)  # an old snapshot is no sign of life

    def _fresh_for(self, run: Run, now: Instant) -> float:
        """Return how long the scheduler will surely not send the Run elsewhere; clocks may differ some."""
        age = abs((now.wall - run.assigned).total_seconds()) if run.assigned else float("inf")
        return self._standing.settings.late_after - age

    def _see_to(self, duty: Duty, instructions: list[Instruction], now: Instant) -> None:
        """Give out what one Run needs now, and note when to look again."""
        call = next_call(duty, self._standing, now)
        if call is not None:
            duty.calls.busy = call
            if isinstance(call, Fill):
                duty.litter.add(call.key)
            instructions.append(call)
        write = next_write(duty, self._standing, now)
        if write is not None:
            duty.writes.busy = write
            instructions.append(write)
        follow = next_follow(duty, self._standing, now)
        if follow is not None:
            duty.follows.busy = follow
            instructions.append(follow)
        if duty.is_over:
            del self._duties[duty.uid]
            self._timers.clear(duty.uid)
            return
        later = [time for time in self._times(duty) if time is not None and time > now.monotonic]
        if later:
            self._timers.set(duty.uid, min(later))

    def _times(self, duty: Duty) -> list[float | None]:
        standing = self._standing
        patience = None
        if duty.current is not None and standing.away_since is not None:
            patience = standing.away_since + standing.settings.patience
        running = running_long_at(duty, standing)
        late_at = duty.current.late_at if duty.current is not None and not duty.current.accepted else None
        times = [follow_at(duty, standing), running, patience, late_at]
        return [duty.calls.after, duty.writes.after, duty.follows.after, *times, *duty.stops.values()]
