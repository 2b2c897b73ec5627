"""Watches: from any version on, what was listed and what is told together are what is stored."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kruntimes_core.dev.apiserver.resources import Resource
from kruntimes_core.dev.apiserver.selectors import Selector, parse_fields, parse_labels
from kruntimes_core.dev.apiserver.store import Entry, Event, Store, decode
from kruntimes_core.dev.apiserver.watch import Hub, Render, Selection, Watcher, change_for, line

BOATS = Resource("example.org", "v1", "boats", "boat", "Boat", selectable={"spec.port": ("spec", "port")})
NAMES, SPACES, PORTS = ("a", "b", "c"), ("n1", "n2"), ("x", "y", None)
STEPS = st.lists(
    st.tuples(st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from(PORTS), st.booleans()),
    max_size=25,
)
SELECTIONS = {
    "everything": Selection(BOATS),
    "one namespace": Selection(BOATS, "n1"),
    "a field": Selection(BOATS, None, Selector(), parse_fields("spec.port=x", BOATS.selects)),
    "an absent field": Selection(BOATS, None, Selector(), parse_fields("spec.port=", BOATS.selects)),
    "not a field": Selection(BOATS, None, Selector(), parse_fields("spec.port!=x", BOATS.selects)),
    "a label": Selection(BOATS, "n2", parse_labels("port in (x,y)")),
    "a name": Selection(BOATS, "n1", Selector(), parse_fields("metadata.name=a", BOATS.selects)),
}


def make(namespace: str, name: str, port: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    metadata["labels"] = {"port": port} if port else {}
    spec = {"port": port} if port else {}
    return {"apiVersion": "example.org/v1", "kind": "Boat", "metadata": metadata, "spec": spec}


def step(store: Store, move: tuple[str, str, str | None, bool]) -> list[Event]:
    """One write or delete; nothing when there is nothing to delete."""
    namespace, name, port, deletes = move
    key = (namespace, name)
    if deletes and store.latest(BOATS.bucket, key) is None:
        return []
    return [store.submit(BOATS.bucket, key, None if deletes else make(namespace, name, port))]


def fold(seen: dict[tuple[str, str], int], kind: str, entry: Entry) -> None:
    """What a client with a cache does, and what it may count on."""
    if kind == "DELETED":
        assert entry.key in seen, "only what is known can go"
        del seen[entry.key]
    else:
        assert (entry.key in seen) is (kind == "MODIFIED")
        seen[entry.key] = entry.version


def teller(told: list[tuple[str, Entry]]) -> Render:
    """A rendering that only takes note."""

    def render(kind: str, entry: Entry) -> bytes:
        told.append((kind, entry))
        return b""

    return render


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, start=st.integers(0, 25), batch=st.integers(1, 4))
def test_a_list_and_a_watch_from_it_are_the_store(
    steps: list[tuple[str, str, str | None, bool]], start: int, batch: int
) -> None:
    store, hub = Store(100), Hub()
    store.listen(hub.publish)
    waiting: list[Event] = []
    lists: dict[str, dict[tuple[str, str], int]] = {}
    live: dict[str, list[tuple[str, Entry]]] = {}
    version = 0
    for number in range(len(steps) + 1):
        if number == min(start, len(steps)):
            version = store.committed
            for title, selection in SELECTIONS.items():
                entries = [e for e in store.listing(BOATS.bucket, None) if selection.includes(e)]
                lists[title] = {entry.key: entry.version for entry in entries}
                told = live.setdefault(title, [])
                hub.add(Watcher(selection, teller(told)))
        if number < len(steps):
            waiting += step(store, steps[number])
        if len(waiting) >= batch or number == len(steps):
            store.commit(waiting)
            waiting = []
    events = store.since(BOATS.bucket, version)
    assert events is not None
    for title, selection in SELECTIONS.items():
        stored = {e.key: e.version for e in store.listing(BOATS.bucket, None) if selection.includes(e)}
        replayed = [change for event in events if (change := change_for(selection, event))]
        for changes in (replayed, live[title]):
            seen = dict(lists[title])
            versions = [entry.version for _, entry in changes]
            assert versions == sorted(versions)
            for kind, entry in changes:
                fold(seen, kind, entry)
            assert seen == stored, title


def test_what_is_not_kept_any_more_is_said() -> None:
    store = Store(7)
    assert store.since(BOATS.bucket, 6) is None
    assert store.since(BOATS.bucket, 7) == []
    (event,) = step(store, ("n1", "a", "x", False))
    store.commit([event])
    assert store.since(BOATS.bucket, 7) == [event]
    assert store.since(BOATS.bucket, 99) == []


def test_nobody_sees_a_write_before_it_is_durable() -> None:
    store = Store(0)
    (event,) = step(store, ("n1", "a", "x", False))
    assert store.get(BOATS.bucket, ("n1", "a")) is None
    assert store.latest(BOATS.bucket, ("n1", "a")) is event.new
    assert store.listing(BOATS.bucket, None) == []
    assert store.committed == 0
    store.commit([event])
    assert store.get(BOATS.bucket, ("n1", "a")) is event.new
    assert store.committed == event.version


def test_an_event_is_offered_only_where_it_can_matter() -> None:
    hub, looked = Hub(), []

    class Counting(Watcher):
        def offer(self, event: Event) -> None:
            looked.append(self.selection)
            super().offer(event)

    watchers = [
        Counting(Selection(BOATS, None, Selector(), parse_fields(f"spec.port=p{i}", BOATS.selects)), line_of)
        for i in range(50)
    ]
    for watcher in watchers:
        hub.add(watcher)
    store = Store(0)
    store.listen(hub.publish)
    store.commit([store.submit(BOATS.bucket, ("n1", "a"), make("n1", "a", "p7"))])
    store.commit([store.submit(BOATS.bucket, ("n1", "a"), make("n1", "a", "p8"))])
    assert looked.count(watchers[7].selection) == 2
    assert looked.count(watchers[8].selection) == 1
    assert len(looked) == 3
    assert decode(watchers[7].take().splitlines()[1])["type"] == "DELETED"
    for watcher in watchers:
        hub.remove(watcher)
    assert len(hub) == 0


def line_of(kind: str, entry: Entry) -> bytes:
    return line(kind, entry.raw)
