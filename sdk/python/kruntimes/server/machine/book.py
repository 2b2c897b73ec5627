"""The book of Runs: what happens to each when calls, ends and time come in. Pure; time is an argument."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from kruntimes.server.author import End, RunKey
from kruntimes.server.machine.capacity import Amounts
from kruntimes.server.machine.deadlines import Deadlines
from kruntimes.server.machine.ends import conclude
from kruntimes.server.machine.orders import Accepts, Act, Order, Policy
from kruntimes.server.machine.record import STEPS, Cause, Record, State, Terms, Why
from kruntimes.server.machine.tombstones import Tombstones
from kruntimes.server.refusals import refusal

# A hard stop that has not ended the work is given again, since a fork can slip past one sweep of a tree.
KILL_AGAIN_SECONDS: Final = 2.0
# What a program gets to end in when the time of a drain is over; the rest of the Pod's grace is the daemon's.
DRAIN_GRACE_SECONDS: Final = 2.0

_UID: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


@dataclass(slots=True)
class _Watchdog:
    """When the daemon was heard last, and when its silence is too long."""

    heard: float = 0.0
    timeout: float | None = None
    lost: bool = False


@dataclass(slots=True)
class _Drain:
    """Whether no new Runs are taken, and when the old ones are ended."""

    asked: float | None = None
    until: float | None = None


@dataclass(slots=True)
class Book:
    """Every Run that is not forgotten. Methods take events, answer or raise Refusal, and leave orders."""

    policy: Policy
    amounts: Amounts = field(init=False)
    accepts: Accepts = Accepts.ACCEPTING
    status_revision: int = 1
    active: int = 0
    _records: dict[RunKey, Record] = field(default_factory=dict)
    _attempts: dict[str, set[int]] = field(default_factory=dict)
    _tombstones: Tombstones = field(init=False)
    _deadlines: Deadlines = field(default_factory=Deadlines)
    _orders: list[Order] = field(default_factory=list)
    _watchdog: _Watchdog = field(default_factory=_Watchdog)
    _drain: _Drain = field(default_factory=_Drain)
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.amounts = Amounts(self.policy.capacity)
        self._tombstones = Tombstones(self.policy.tombstone_ttl, self.policy.max_tombstones)
        self._tell_status()

    # Reading

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """Every Run not forgotten, in the order of acceptance."""
        return iter(self._records.values())

    def known(self, key: RunKey) -> Record | None:
        """The Run of this key, or None; for callers that need no reason."""
        return self._records.get(key)

    def get(self, key: RunKey) -> Record:
        """The Run of this key. Refuses INVALID_ARGUMENT and NOT_FOUND."""
        _check_key(key)
        record = self._records.get(key)
        if record is None:
            raise refusal("RUN_UNKNOWN", uid=key.uid, attempt=key.attempt)
        return record

    @property
    def drain_asked(self) -> float | None:
        """When the drain began; None while Runs are taken."""
        return self._drain.asked

    def orders(self) -> list[Order]:
        """Take what the shell is to do since the last time."""
        orders, self._orders = self._orders, []
        return orders

    def due(self) -> float | None:
        """When `tick` has something to do; None means not by itself."""
        times = [self._deadlines.next()]
        if self.active:
            times.append(self._drain.until)
            times.append(self._silent_at())
        return min((time for time in times if time is not None), default=None)

    # Starting

    def find(self, key: RunKey, digest: str, instance: str, now: float) -> Record | None:
        """The Run that a repeated start means, or None for a new one; the first failing check refuses."""
        _check_key(key)
        if instance and instance != self.policy.instance:
            raise refusal("INSTANCE_CHANGED")
        record = self._records.get(key)
        if record is not None and not record.forgetting:
            if record.digest == digest:
                return record
            raise refusal("SPEC_MISMATCH")
        self._check_attempts(key, now)
        return None

    def _check_attempts(self, key: RunKey, now: float) -> None:
        if key.attempt <= self._tombstones.attempt(key.uid, now):
            raise refusal("RUN_FORGOTTEN", attempt=key.attempt)
        attempts = self._attempts.get(key.uid, ())
        if attempts and max(attempts) > key.attempt:
            raise refusal("ATTEMPT_SUPERSEDED", attempt=max(attempts))
        for attempt in attempts:
            if not self._records[RunKey(key.uid, attempt)].state.terminal:
                raise refusal("PREVIOUS_ATTEMPT_ACTIVE", attempt=attempt)

    def admit(self, key: RunKey, digest: str, terms: Terms, now: float) -> Record:
        """Take a Run that `find` did not know and whose spec is sound, or refuse it without a trace."""
        self.amounts.check(terms.requests)
        if self._drain.asked is not None:
            raise refusal("DRAINING")
        self._check_room(terms)
        self._sequence += 1
        record = Record(key=key, sequence=self._sequence, digest=digest, terms=terms, accepted=now)
        self.amounts.take(terms.requests)
        self.active += 1
        self._attempts.setdefault(key.uid, set()).add(key.attempt)
        self._keep(record)
        self._tell_status()
        return record

    def _check_room(self, terms: Terms) -> None:
        name = self.amounts.lacking(terms.requests)
        if name:
            why = f"Not enough {name} is free now."
        elif self._outstanding_full():
            why = f"{self.active} Runs are under way, which is all this server takes at once."
        elif self._kept_full():
            why = f"{len(self) - self.active} ended Runs wait to be forgotten; forget some."
        else:
            return
        raise refusal("SERVER_FULL", why=why)

    # What the execution reports

    def running(self, key: RunKey, now: float) -> None:
        """User code begins; the execution time limit is counted from here."""
        record = self._records[key]
        if record.started is not None or record.state.terminal:
            return
        state = State.RUNNING if record.state is State.STARTING else record.state
        self._change(record, replace(record, state=state, started=now, revision=record.revision + 1))

    def ended(self, key: RunKey, end: End, now: float) -> Record | None:
        """Nothing of the Run is left. The terminal record, or None when it was waiting to be forgotten."""
        record = self._records[key]
        if record.state.terminal:
            raise ValueError(f"{key} ended twice")
        state, error, end = conclude(end, record.cause)
        ran = end.exit_code is not None or end.signal is not None
        ended = replace(
            record,
            state=state,
            error=error,
            end=end,
            ended=now,
            started=now if record.started is None and ran else record.started,
            kill_at=None,
            revision=record.revision + 1,
        )
        self.amounts.give_back(record.terms.requests)
        self.active -= 1
        self._change(record, ended)
        if record.forgetting:
            self._drop(ended, now)
        self._tell_status()
        return self._records.get(key)

    # Stopping

    def cancel(self, key: RunKey, grace: float | None, reason: str, now: float) -> Record:
        """Ask a Run to stop; a repeat can only shorten the grace, and zero is the hard stop."""
        record = self.get(key)
        if grace is not None and grace < 0:
            raise refusal("FIELD_INVALID", field="grace", why="is negative; it must be 0 or more")
        if reason and not _REASON.match(reason):
            raise refusal(
                "FIELD_INVALID", field="reason", why="must be an UPPER_SNAKE word of at most 64 bytes"
            )
        cause = Cause(Why.CANCEL, reason or "CANCELLED", "The Run was cancelled.")
        return self._stop(record, cause, record.terms.grace if grace is None else grace, now)

    def forget(self, key: RunKey, stop: bool, now: float) -> bool:
        """Drop a Run and refuse its key from now on. False: the hard stop is under way, ask again."""
        _check_key(key)
        record = self._records.get(key)
        if record is None:
            self._tombstones.bury(key, now)
        elif record.state.terminal:
            self._drop(record, now)
            self._tell_status()
        elif stop:
            self._tombstones.bury(key, now)
            self._records[key] = record = replace(record, forgetting=True)
            self._stop(record, Cause(Why.CANCEL, "FORGOTTEN", "The Run was forgotten."), 0.0, now)
            return False
        else:
            raise refusal("RUN_ACTIVE")
        return True

    def drain(self, timeout: float | None, now: float) -> int:
        """Take no new Runs ever again; end the rest after `timeout`. The number of Runs not terminal."""
        if timeout is not None and timeout < 0:
            raise refusal("FIELD_INVALID", field="timeout", why="is negative; it must be 0 or more")
        self._drain.asked = now if self._drain.asked is None else self._drain.asked
        if timeout is not None:
            until = now + timeout
            self._drain.until = until if self._drain.until is None else min(until, self._drain.until)
        self._tell_status()
        return self.active

    # What the daemon brings

    def grant(self, capacity: Mapping[str, int], daemon_timeout: float | None) -> None:
        """Offer no more than the Runtime object grants; an empty capacity or no timeout changes nothing."""
        if capacity:
            self.amounts.grant(capacity)
            self._tell_status()
        if daemon_timeout is not None:
            self._watchdog.timeout = daemon_timeout

    def heard(self, now: float) -> None:
        """The daemon made a call."""
        self._watchdog.heard = now
        self._watchdog.lost = False

    # Time

    def tick(self, now: float) -> None:
        """Do what time alone makes due; calling it early does nothing."""
        self._run_out(now)
        if self._drain.until is not None and now >= self._drain.until:
            self._drain.until = None
            cause = Cause(Why.DRAINED, "DRAINED", "The server went away before the Run had ended.")
            self._stop_all(cause, DRAIN_GRACE_SECONDS, now)
        silent_at = self._silent_at()
        if silent_at is not None and now >= silent_at:
            self._watchdog.lost = True
            cause = Cause(Why.CANCEL, "DAEMON_LOST", "The daemon has made no call for its whole timeout.")
            # The successors of these Runs may start once the lease is over, so the grace is short.
            self._stop_all(cause, (self._watchdog.timeout or 0.0) / 3, now)
        self._run_out(now)

    def _run_out(self, now: float) -> None:
        """Look at every Run that is due, until none is: a stop with next to no grace is due again at once."""
        while keys := self._deadlines.pop(now):
            for key in keys:
                self._elapsed(self._records[key], now)

    def _elapsed(self, record: Record, now: float) -> None:
        if record.state.terminal:
            self._drop(record, now)
            self._tell_status()
        elif record.kill_at is not None:
            self._kill(record, now)
        elif record.state is State.RUNNING:
            limit = f"The Run was in RUNNING for its limit of {record.terms.execution_timeout} s."
            self._stop(record, Cause(Why.TIME_LIMIT, "TIME_LIMIT", limit), record.terms.grace, now)
        else:
            limit = f"The Run did not reach RUNNING within {record.terms.queue_timeout} s."
            self._stop(
                record, Cause(Why.QUEUE_TIME_LIMIT, "QUEUE_TIME_LIMIT", limit), record.terms.grace, now
            )

    def _silent_at(self) -> float | None:
        watchdog = self._watchdog
        if watchdog.timeout is None or watchdog.lost:
            return None
        return watchdog.heard + watchdog.timeout

    # Steps

    def _stop_all(self, cause: Cause, most_grace: float, now: float) -> None:
        for record in list(self._records.values()):
            self._stop(record, cause, min(record.terms.grace, most_grace), now)

    def _stop(self, record: Record, cause: Cause, grace: float, now: float) -> Record:
        if record.state.terminal:
            return record
        kill_at = now + grace if record.kill_at is None else min(now + grace, record.kill_at)
        if record.cause is None:
            stopping = replace(
                record, state=State.STOPPING, cause=cause, kill_at=kill_at, revision=record.revision + 1
            )
            self._change(record, stopping)
            if grace > 0:
                self._orders.append(Order(Act.STOP, record.key))
        elif kill_at != record.kill_at:
            stopping = replace(record, kill_at=kill_at)
            self._keep_quietly(stopping)
        else:
            stopping = record
        return self._kill(stopping, now) if grace <= 0 else stopping

    def _kill(self, record: Record, now: float) -> Record:
        self._orders.append(Order(Act.KILL, record.key))
        record = replace(record, kill_at=now + KILL_AGAIN_SECONDS)
        self._keep_quietly(record)
        return record

    def _change(self, old: Record, new: Record) -> None:
        if new.state is not old.state and new.state not in STEPS[old.state]:
            raise ValueError(f"{old.key} cannot go from {old.state.name} to {new.state.name}")
        self._keep(new)

    def _keep(self, record: Record) -> None:
        self._keep_quietly(record)
        self._orders.append(Order(Act.CHANGED, record.key))

    def _keep_quietly(self, record: Record) -> None:
        self._records[record.key] = record
        self._deadlines.set(record.key, record.due(self.policy.retention))

    def _drop(self, record: Record, now: float) -> None:
        key = record.key
        del self._records[key]
        attempts = self._attempts[key.uid]
        attempts.discard(key.attempt)
        if not attempts:
            del self._attempts[key.uid]
        self._deadlines.set(key, None)
        self._tombstones.bury(key, now)
        self._orders.append(Order(Act.FORGOTTEN, key))

    # Status

    def _outstanding_full(self) -> bool:
        return 0 < self.policy.max_outstanding <= self.active

    def _kept_full(self) -> bool:
        return len(self) - self.active >= self.policy.max_kept

    def _tell_status(self) -> None:
        self.status_revision += 1
        if self._drain.asked is not None:
            self.accepts = Accepts.DRAINING
        elif self.amounts.full() or self._outstanding_full() or self._kept_full():
            self.accepts = Accepts.SATURATED
        else:
            self.accepts = Accepts.ACCEPTING


def _check_key(key: RunKey) -> None:
    if not _UID.match(key.uid):
        raise refusal("KEY_INVALID", field="run_uid", why="it must be 1 to 64 of A-Z, a-z, 0-9 and '-'")
    if key.attempt < 1:
        raise refusal("KEY_INVALID", field="attempt", why="it must be 1 or more")
