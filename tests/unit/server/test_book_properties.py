"""The book of Runs under any order of events: what must hold always."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from kruntimes.server import End, Refusal, RunKey
from kruntimes.server.machine import Act, Book, Policy, Record, State, Terms

UIDS = st.sampled_from(["a", "b", "c"])
KEYS = st.builds(RunKey, UIDS, st.integers(1, 3))
LIMITS = st.none() | st.floats(0.1, 20)
ENDS = st.sampled_from(
    [
        End(exit_code=0),
        End(exit_code=7),
        End(signal=9),
        End(before_stop=True, exit_code=0),
        End(value=b"x" * 20_000),
    ]
)
TERMS = st.builds(
    Terms,
    requests=st.dictionaries(st.sampled_from(["runs", "cpu"]), st.integers(0, 4)),
    grace=st.floats(0, 10),
    execution_timeout=LIMITS,
    queue_timeout=LIMITS,
)


class AnyOrder(RuleBasedStateMachine):
    """Calls, ends and time in any order, as a daemon, an author and a clock could bring them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.book = Book(
            Policy(
                instance="i", capacity={"runs": 3, "cpu": 4}, max_kept=3, retention=50.0, tombstone_ttl=30.0
            )
        )
        self.newest: dict[RunKey, Record] = {}
        self.alive: set[RunKey] = set()
        self.buried: dict[str, tuple[int, float]] = {}

    started = Bundle("started")

    @rule(target=started, key=KEYS, terms=TERMS, digest=st.sampled_from(["1", "2"]))
    def start(self, key: RunKey, terms: Terms, digest: str) -> RunKey:
        before = (len(self.book), self.book.amounts.available())
        try:
            known = self.book.find(key, digest, "i", self.now)
            if known is None:
                self.book.admit(key, digest, terms, self.now)
                attempt, until = self.buried.get(key.uid, (0, 0.0))
                assert key.attempt > attempt or self.now >= until, "a forgotten key ran again"
                assert all(other.uid != key.uid for other in self.alive), "two attempts of one Run at once"
                self.newest.pop(key, None)
                self.alive.add(key)
        except Refusal:
            assert (len(self.book), self.book.amounts.available()) == before, "a refusal left a trace"
        return key

    @rule(key=started)
    def running(self, key: RunKey) -> None:
        if key in self.alive:
            self.book.running(key, self.now)

    @rule(key=started, end=ENDS)
    def end(self, key: RunKey, end: End) -> None:
        if key in self.alive:
            self.alive.remove(key)
            self.book.ended(key, end, self.now)

    @rule(key=KEYS, grace=st.none() | st.floats(0, 10))
    def cancel(self, key: RunKey, grace: float | None) -> None:
        if self.book.known(key) is not None:
            self.book.cancel(key, grace, "", self.now)

    @rule(key=KEYS, stop=st.booleans())
    def forget(self, key: RunKey, stop: bool) -> None:
        try:
            gone = self.book.forget(key, stop, self.now)
        except Refusal:
            assert key in self.alive
            return
        assert gone == (key not in self.alive)
        attempt, until = self.buried.get(key.uid, (0, 0.0))
        attempt = attempt if self.now < until else 0
        self.buried[key.uid] = (max(attempt, key.attempt), self.now + 30.0)

    @rule(granted=st.dictionaries(st.sampled_from(["runs", "cpu", "gpu"]), st.integers(0, 5)))
    def grant(self, granted: dict[str, int]) -> None:
        self.book.grant(granted, 8.0)

    @rule(timeout=st.none() | st.floats(0, 10))
    def drain(self, timeout: float | None) -> None:
        self.book.drain(timeout, self.now)

    @rule()
    def heard(self) -> None:
        self.book.heard(self.now)

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.book.tick(self.now)
        due = self.book.due()
        assert due is None or due > self.now, "a tick left something undone"

    @invariant()
    def states_only_go_forward(self) -> None:
        for record in self.book:
            old = self.newest.get(record.key)
            if old is not None and old != record:
                assert record.revision >= old.revision
                assert not old.state.terminal, "a terminal Run changed"
                if record.state is not old.state or record.started != old.started:
                    assert record.revision > old.revision
                assert old.cause is None or record.cause is old.cause, "a second cause took over"
            assert record.state.terminal == (record.key not in self.alive)
            assert record.state.terminal == (record.ended is not None)
            assert (record.error is not None) == (
                record.state.terminal and record.state is not State.SUCCEEDED
            )
            self.newest[record.key] = record

    @invariant()
    def capacity_is_never_overbooked(self) -> None:
        taken = dict.fromkeys(("runs", "cpu"), 0)
        for key in self.alive:
            record = self.book.known(key)
            assert record is not None, "a living Run was forgotten"
            for name, amount in record.terms.requests.items():
                taken[name] += amount
        assert taken["runs"] <= 3
        assert taken["cpu"] <= 4
        free = {name: max(0, total - taken[name]) for name, total in self.book.amounts.total.items()}
        assert self.book.amounts.available() == free
        assert self.book.active == len(self.alive)

    @invariant()
    def orders_name_what_is_there(self) -> None:
        for act, key in self.book.orders():
            if act in (Act.STOP, Act.KILL):
                assert key in self.newest
            if act is Act.FORGOTTEN:
                assert key not in self.alive
                assert self.book.known(key) is None
                attempt, until = self.buried.get(key.uid, (0, 0.0))
                self.buried[key.uid] = (max(attempt if self.now < until else 0, key.attempt), self.now + 30.0)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=120, stateful_step_count=40, deadline=None, derandomize=True)
