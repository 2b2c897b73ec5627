"""Events are written in the background: one for each thing, whatever the API server answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from kruntimes_core.clock import SystemClock
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.events import MOST_WAITING, Recorder, Reporter
from kruntimes_core.model.notices import Notice, Subject
from tests.fakes import FakeApi, status


def notice(name: str = "r", reason: str = "NoRoom", message: str = "No room") -> Notice:
    return Notice(Subject("Run", "default", name, f"uid-{name}"), "Hold", reason, message)


@asynccontextmanager
async def recording(api: FakeApi) -> AsyncIterator[Recorder]:
    async with Client(api.access, "test") as client:
        recorder = Recorder(client, Reporter("kruntimes-test", "test-1"), SystemClock(), pause=0)
        task = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def sent(api: FakeApi) -> list[tuple[str, Any]]:
    return [(method, json.loads(body or b"null")) for method, _, _, body in api.requests]


async def test_an_event_says_what_happened_to_whom_and_who_tells_it() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        recorder.tell(notice())
        recorder.tell(None)
        await api.until(lambda: len(api.requests) == 1)
        ((method, event),) = sent(api)
        assert (method, event["count"], event["type"], event["reason"]) == ("POST", 1, "Normal", "NoRoom")
        assert event["involvedObject"] == {
            "apiVersion": "kruntimes.io/v1alpha1",
            "kind": "Run",
            "namespace": "default",
            "name": "r",
            "uid": "uid-r",
        }
        assert (event["reportingComponent"], event["reportingInstance"]) == ("kruntimes-test", "test-1")
        assert event["metadata"]["name"].startswith("r.")


async def test_the_same_thing_again_raises_a_count() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        recorder.tell(notice())
        await api.until(lambda: len(api.requests) == 1)
        recorder.tell(notice(message="Still no room"))
        recorder.tell(notice(message="Still none"))
        await api.until(lambda: len(api.requests) == 2)
        method, change = sent(api)[1]
        assert (method, change["count"], change["message"]) == ("PATCH", 3, "Still none")
        assert api.requests[1][1].endswith(sent(api)[0][1]["metadata"]["name"])


async def test_what_an_earlier_process_told_is_counted_on() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        api.answers.append(("POST", 409, status(409, "AlreadyExists"), {}))
        api.answers.append(("GET", 200, {"count": 7}, {}))
        recorder.tell(notice())
        await api.until(lambda: len(api.requests) == 3)
        assert [method for method, _ in sent(api)] == ["POST", "GET", "PATCH"]
        assert sent(api)[2][1]["count"] == 8


async def test_an_event_that_ran_out_is_made_anew() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        recorder.tell(notice())
        await api.until(lambda: len(api.requests) == 1)
        api.answers.append(("PATCH", 404, status(404, "NotFound"), {}))
        recorder.tell(notice())
        await api.until(lambda: len(api.requests) == 3)
        assert (sent(api)[2][0], sent(api)[2][1]["count"]) == ("POST", 1)


async def test_one_that_is_refused_stops_none_of_the_others() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        api.answers.append(("POST", 403, status(403, "Forbidden"), {}))
        recorder.tell(notice("a"))
        recorder.tell(notice("b"))
        await api.until(lambda: len(api.requests) == 2)
        assert sent(api)[1][1]["involvedObject"]["name"] == "b"


async def test_a_flood_is_bounded() -> None:
    async with FakeApi.started() as api, recording(api) as recorder:
        for number in range(MOST_WAITING + 50):
            recorder.tell(notice(f"r-{number}"))
        await api.until(lambda: len(api.requests) == MOST_WAITING)
        recorder.tell(notice("last"))
        await api.until(lambda: len(api.requests) > MOST_WAITING)
        assert sent(api)[-1][1]["involvedObject"]["name"] == "last"


def test_a_long_name_leaves_room_for_what_makes_it_unique() -> None:
    reporter = Reporter("kruntimes-test", "test-1")
    names = {reporter.name(notice("x" * 253, reason)) for reason in ("NoRoom", "NeverFits")}
    assert len(names) == 2
    assert all(len(name) <= 253 for name in names)
