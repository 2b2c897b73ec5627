"""The reflector against an API server that drops, repeats, expires and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.kinds import RUN
from kruntimes_core.kube.mirror import Changed, Gone
from kruntimes_core.kube.watch import Broken, Event, Patience, Reflector, Selection, Synced
from tests.fakes import FakeApi, status


class Thing(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    version: str
    color: str = ""


def read(raw: msgspec.Raw) -> Thing:
    item = msgspec.json.decode(raw, type=dict[str, Any])
    meta = item["metadata"]
    if item.get("color") == "unreadable":
        raise ValueError("no such color")
    return Thing(
        meta["namespace"], meta["name"], meta["uid"], meta["resourceVersion"], str(item.get("color", ""))
    )


class Heard:
    """What a reflector told, as short words, and a way to wait for them."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.pieces: list[int] = []
        self._changed = asyncio.Event()

    def __call__(self, events: Sequence[Event[Thing]]) -> None:
        self.pieces.append(len(events))
        self.words += [self._word(event) for event in events]
        self._changed.set()

    def _word(self, event: Event[Thing]) -> str:
        match event:
            case Changed(thing):
                return f"+{thing.name} {thing.color}".strip()
            case Gone(thing):
                return f"-{thing.name}"
            case Synced():
                return "synced"
            case Broken(error):
                return f"broken: {type(error).__name__}"

    async def until(self, condition: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition(self.words):
                self._changed.clear()
                await self._changed.wait()

    async def until_last(self, word: str) -> None:
        await self.until(lambda words: bool(words) and words[-1] == word)


@asynccontextmanager
async def reflecting(api: FakeApi) -> AsyncIterator[tuple[Reflector[Thing], Heard]]:
    heard = Heard()
    async with Client(api.access, "test") as client:
        patience = Patience(watch_seconds=lambda: 60, pause=lambda failures: 0.001)
        reflector = Reflector(client, Selection(RUN, "default"), read, heard, patience)
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector, heard
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi.started() as api:
        yield api


async def test_the_first_list_is_told_whole_and_then_each_change(api: FakeApi) -> None:
    api.set("a", color="red")
    async with reflecting(api) as (_, heard):
        await heard.until_last("synced")
        await api.until(lambda: len(api.watches) == 1)
        api.tell("MODIFIED", api.set("a", color="blue"))
        api.tell("ADDED", api.set("b"))
        api.tell("DELETED", api.drop("a"))
        await heard.until_last("-a")
    assert heard.words == ["+a red", "synced", "+a blue", "+b", "-a"]
    assert api.requests[1][2]["resourceVersion"] == "11"
    assert api.requests[1][2]["allowWatchBookmarks"] == "true"


async def test_a_long_list_comes_in_pages(api: FakeApi) -> None:
    for number in range(1201):
        api.set(f"r{number}")
    async with reflecting(api) as (reflector, heard):
        await heard.until_last("synced")
        assert len(reflector.mirror) == 1201
    assert api.lists() == 3


async def test_what_arrives_together_is_told_together(api: FakeApi) -> None:
    async with reflecting(api) as (_, heard):
        await api.until(lambda: len(api.watches) == 1)
        lines = [
            msgspec.json.encode({"type": "ADDED", "object": api.set(f"r{number}")}) for number in range(50)
        ]
        api.tell_raw(b"\n".join(lines) + b"\n")
        await heard.until_last("+r49")
    assert heard.pieces == [1, 50]


async def test_a_cut_connection_resumes_where_it_was(api: FakeApi) -> None:
    async with reflecting(api) as (_, heard):
        await api.until(lambda: len(api.watches) == 1)
        api.tell("ADDED", api.set("a"))
        await heard.until_last("+a")
        api.cut_watch()
        await api.until(lambda: len(api.watches) == 2)
        api.tell("ADDED", api.set("b"))
        await heard.until_last("+b")
    assert heard.words == ["synced", "+a", "broken: Unreachable", "synced", "+b"]
    assert api.lists() == 1
    assert api.requests[-1][2]["resourceVersion"] == "11"


async def test_a_watch_that_ends_in_time_is_no_break(api: FakeApi) -> None:
    async with reflecting(api) as (_, heard):
        await api.until(lambda: len(api.watches) == 1)
        api.tell("BOOKMARK", {"metadata": {"resourceVersion": "99"}})
        api.end_watch()
        await api.until(lambda: len(api.watches) == 2)
    assert heard.words == ["synced"]
    assert api.requests[-1][2]["resourceVersion"] == "99"


async def expire_by_event(api: FakeApi) -> None:
    api.tell("ERROR", status(410, "Expired", "too old resource version"))


async def expire_by_status(api: FakeApi) -> None:
    api.answers.append(("GET", 410, status(410, "Gone"), {}))
    api.end_watch()


@pytest.mark.parametrize("expire", [expire_by_event, expire_by_status])
async def test_an_expired_version_is_answered_with_a_list_and_a_comparison(
    api: FakeApi, expire: Callable[[FakeApi], Any]
) -> None:
    for name in ("kept", "changed", "deleted", "replaced"):
        api.set(name)
    async with reflecting(api) as (reflector, heard):
        await heard.until_last("synced")
        await api.until(lambda: len(api.watches) == 1)
        api.set("changed", color="new")
        api.drop("deleted")
        api.drop("replaced")
        api.set("replaced", metadata={"uid": "another"})
        api.set("added")
        heard.words.clear()
        await expire(api)
        await heard.until_last("synced")
        assert {thing.name: thing.uid for thing in reflector.mirror} == {
            "kept": "uid-kept",
            "changed": "uid-changed",
            "replaced": "another",
            "added": "uid-added",
        }
    assert heard.words[0] == "broken: Expired"
    assert sorted(heard.words[1:-1]) == sorted(
        ["-deleted", "-replaced", "+replaced", "+changed new", "+added"]
    )


async def test_old_and_repeated_events_are_not_told(api: FakeApi) -> None:
    async with reflecting(api) as (reflector, heard):
        await api.until(lambda: len(api.watches) == 1)
        first = api.set("a", color="old")
        second = api.set("a", color="new")
        other = api.set("b")
        gone = api.drop("b")
        for kind, item in [
            ("ADDED", first),
            ("MODIFIED", second),
            ("MODIFIED", second),
            ("ADDED", first),
            ("ADDED", other),
            ("DELETED", gone),
            ("DELETED", gone),
            ("ADDED", other),
        ]:
            api.tell(kind, item)
        api.tell("ADDED", api.set("end"))
        await heard.until_last("+end")
        assert sorted(thing.name for thing in reflector.mirror) == ["a", "end"]
    assert heard.words == ["synced", "+a old", "+a new", "+b", "-b", "+end"]


async def test_failures_are_told_once_until_it_is_whole_again(api: FakeApi) -> None:
    for _ in range(3):
        api.answers.append(("GET", 503, status(503, "ServiceUnavailable"), {}))
    async with reflecting(api) as (_, heard):
        await heard.until_last("synced")
    assert heard.words == ["broken: ServerFault", "synced"]
    assert len(api.requests) >= 4


async def test_an_object_that_cannot_be_read_stops_no_other(api: FakeApi, caplog: Any) -> None:
    async with reflecting(api) as (_, heard):
        await api.until(lambda: len(api.watches) == 1)
        api.tell("ADDED", api.set("broken", color="unreadable"))
        api.tell("ADDED", api.set("good"))
        await heard.until_last("+good")
    assert "passed over" in caplog.text


async def test_an_answer_cut_inside_a_line_loses_nothing(api: FakeApi) -> None:
    async with reflecting(api) as (_, heard):
        await api.until(lambda: len(api.watches) == 1)
        api.tell_raw(b'{"type":"ADDED","object":{"meta')
        api.end_watch()
        await api.until(lambda: len(api.watches) == 2)
        api.tell("ADDED", api.set("a"))
        await heard.until_last("+a")
    assert api.requests[-1][2]["resourceVersion"] == "10"
