"""What the scheduler knows of each Run, and where it stands for it; it chooses no member."""

from __future__ import annotations

from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.timers import Timers
from kruntimes_core.scheduling.accounts import Account
from kruntimes_core.scheduling.actions import Action, Assign
from kruntimes_core.scheduling.items import Item
from kruntimes_core.scheduling.roster import Roster
from kruntimes_core.scheduling.settings import Settings
from kruntimes_core.scheduling.shapes import shape_of
from kruntimes_core.scheduling.waiting import seconds_in_queue, seconds_until_ready

# A decision that was answered, yet is not seen in the Run for so long, is written again.
_UNSEEN = 10.0
_LONGEST_REWRITE = 5.0


class Ledger:
    """Every Run is in one place: waiting, backing off, urgent, assigned, decided, or only remembered."""

    def __init__(self, settings: Settings, roster: Roster) -> None:
        """Begin empty."""
        self.settings = settings
        self.roster = roster
        self.items: dict[str, Item] = {}
        # What is due: a word, and the UID of the Run it is due for.
        self.timers: Timers[tuple[str, str]] = Timers()
        # Runs to be looked at before any other is assigned, in order.
        self.urgent: dict[str, None] = {}
        # Actions given out and not answered; the key is the identity of the action.
        self.flying: dict[int, Action] = {}
        # When the watch of Runs was whole again; until then nobody could be seen taking a Run.
        self.synced_at = float("-inf")
        self._serial = 0

    # What the watch shows.

    def run_changed(self, run: Run, now: Instant) -> None:
        """Take a version of a Run; one older than what is known, or than an own write, is not believed."""
        version = int(run.version)
        item = self.items.get(run.uid)
        if item is None:
            self._serial += 1
            item = self.items[run.uid] = Item(run, version, self._serial, now.monotonic)
        elif version <= item.version or version < item.floor:
            return
        item.version = version
        item.run = run
        # Whatever was decided on an older version has succeeded or failed by now: this version tells.
        item.pending = None
        item.repeats = 0
        self.settle(item, run, now)

    def run_gone(self, uid: str) -> None:
        """Forget a Run that was deleted."""
        item = self.items.pop(uid, None)
        if item is not None:
            self.unplace(item, uid)
            self.move(item, uid, None)
            item.run = None

    # Answers.

    def written(self, action: Action, version: str, now: Instant) -> None:
        """Wait to see an own write."""
        item = self._answered(action)
        if item is not None:
            item.floor = int(version)
            self.arm(item, action.run.uid, "again", now.monotonic + _UNSEEN)

    def refused(self, action: Action, now: Instant) -> None:
        """Wait to see what somebody else wrote."""
        item = self._answered(action)
        if item is not None:
            self.arm(item, action.run.uid, "again", now.monotonic + _UNSEEN)

    def failed(self, action: Action, now: Instant) -> None:
        """Write the same again in a while."""
        item = self._answered(action)
        if item is not None:
            pause = min(self.settings.rewrite_after * 2**item.repeats, _LONGEST_REWRITE)
            item.repeats += 1
            self.arm(item, action.run.uid, "again", now.monotonic + pause)

    def decided(self, item: Item, action: Action, account: Account | None = None) -> None:
        """Assume an action until it is answered."""
        run = action.run
        self.unplace(item, run.uid)
        item.pending = action
        self.flying[id(action)] = action
        if isinstance(action, Assign):
            self.move(item, run.uid, account)

    def _answered(self, action: Action) -> Item | None:
        """Return the Run's item if the action is still what is assumed of it."""
        self.flying.pop(id(action), None)
        item = self.items.get(action.run.uid)
        return item if item is not None and item.pending is action else None

    # Places.

    def settle(self, item: Item, run: Run, now: Instant) -> None:
        """Put a Run where its newest version belongs."""
        self.unplace(item, run.uid)
        if run.is_terminal:
            self.move(item, run.uid, None)
            item.run = None
        elif run.phase is Phase.PENDING:
            self.move(item, run.uid, None)
            self._settle_waiting(item, run, now)
        else:
            self._settle_assigned(item, run, now)

    def _settle_waiting(self, item: Item, run: Run, now: Instant) -> None:
        wait = (run.attempt, run.queued)
        if item.wait != wait or not item.waiting_since:
            item.wait = wait
            item.waiting_since = now.monotonic
            item.queue_deadline = None
            if run.queue_timeout is not None:
                waited = seconds_in_queue(run, now, 0.0)
                item.queue_deadline = now.monotonic + run.queue_timeout - waited
        if run.is_unwanted:
            self.hurry(run.uid)
            return
        if item.queue_deadline is not None:
            self.arm(item, run.uid, "queue", item.queue_deadline)
        backoff = (run.attempt, run.not_before)
        if item.backoff != backoff:
            item.backoff = backoff
            item.ready_at = now.monotonic + seconds_until_ready(run, now)
        if item.ready_at > now.monotonic:
            self.arm(item, run.uid, "ready", item.ready_at)
            return
        lapse_at = item.waiting_since + self.settings.exclusion_lapse
        lapsed = now.monotonic >= lapse_at
        if run.excluded and not lapsed:
            self.arm(item, run.uid, "lapse", lapse_at)
        self.arm(item, run.uid, "hold", max(item.waiting_since + self.settings.hold_after, now.monotonic))
        item.pool = self.roster.pool((run.namespace, run.runtime))
        item.group = item.pool.wait(run.uid, shape_of(run, lapsed), item.rank(run))
        self.roster.activate(item.pool)

    def _settle_assigned(self, item: Item, run: Run, now: Instant) -> None:
        assignment = run.assignment
        if assignment is None:
            # Nobody of ours writes that, but whoever may write a status can: as good as a lost member.
            self.move(item, run.uid, None)
            self.hurry(run.uid)
            return
        account = self.roster.account((run.namespace, assignment.pod, assignment.pod_uid), now)
        self.move(item, run.uid, account)
        # A Run that was handed back may come to the same member again, in the same attempt.
        place = (run.attempt, assignment.pod_uid, run.assigned)
        if item.place != place:
            item.place = place
            item.assigned_since = now.monotonic
        item.waiting_since = 0.0
        if account.lost:
            self.hurry(run.uid)
        elif run.phase is Phase.SCHEDULED and run.delivered is None:
            self.arm(item, run.uid, "start", self.start_deadline(item))

    def start_deadline(self, item: Item) -> float:
        """Return when a Run counts as left lying by its member."""
        return max(item.assigned_since, self.synced_at) + self.settings.start_deadline

    def hurry(self, uid: str) -> None:
        """Look at a Run first in the next cycle."""
        self.urgent[uid] = None

    def arm(self, item: Item, uid: str, word: str, when: float) -> None:
        """Look at a Run again then, for this reason."""
        item.timers.add(word)
        self.timers.set((word, uid), when)

    def unplace(self, item: Item, uid: str) -> None:
        """Take a Run out of its group and clear its timers; what is charged for it stays."""
        for word in item.timers:
            self.timers.clear((word, uid))
        item.timers.clear()
        self.urgent.pop(uid, None)
        if item.group is not None and item.pool is not None:
            item.pool.leave(uid, item.group)
            self.roster.drop_if_empty(item.pool)
            item.group = item.pool = None

    def move(self, item: Item, uid: str, account: Account | None) -> None:
        """Charge a Run to a member, and to no other."""
        if item.account is account:
            return
        former, item.account = item.account, account
        if account is not None and item.run is not None:
            self.roster.charge(account, item.run)
        if former is not None:
            self.roster.release(former, uid)
