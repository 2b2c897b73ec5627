"""The lease: one request for each renewal, and the announcement only when it is news."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kruntimes_core.apps.daemon.driver import Driver
from kruntimes_core.apps.daemon.lease import LeaseKeeper
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.machine import Announcement, Daemon, Seat
from kruntimes_core.kube.client import Client
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.runtime import AcceptState
from tests.fakes import FakeApi, status

SEAT = Seat("default", "pod", "pod-uid", "bash")
MEMBER = "kruntimes.io/member"
READY = Announcement("i", AcceptState.ACCEPTING, {"runs": 4})


class Renewals(Daemon):
    """A machine that only hears of renewals."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.told = asyncio.Event()

    def lease_renewed(self, sent_at: float, now: Instant) -> None:
        assert sent_at <= now.monotonic
        self.sent.append(sent_at)
        self.told.set()


@asynccontextmanager
async def keeping(seconds: float, *answers: int) -> AsyncIterator[tuple[FakeApi, LeaseKeeper, Renewals]]:
    machine = Renewals()
    async with FakeApi.started() as api, Client(api.access, "test") as client:
        api.answers.extend(("PATCH", code, status(code, REASONS[code]), {}) for code in answers)
        keeper = LeaseKeeper(client, SEAT, seconds, Driver(machine, SystemClock()))
        keeper.announce(READY)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(keeper.run())
            yield api, keeper, machine
            task.cancel()


REASONS = {404: "NotFound", 500: "InternalError", 503: "ServiceUnavailable"}


def bodies(api: FakeApi, method: str = "PATCH") -> list[dict[str, Any]]:
    return [json.loads(body) for made, _, _, body in api.requests if made == method]


def said(body: dict[str, Any]) -> Any:
    return json.loads(body["metadata"]["annotations"][MEMBER])


async def test_the_first_write_says_who_it_is_and_the_next_only_that_it_lives() -> None:
    # Long enough for no busy machine to let it run out, which would make the next write a whole one.
    async with keeping(1.5) as (api, _, machine):
        await api.until(lambda: len(bodies(api)) >= 3)

    first, *rest = bodies(api)
    assert first["metadata"]["ownerReferences"][0]["uid"] == "pod-uid"
    assert said(first) == {
        "podUID": "pod-uid",
        "instance": "i",
        "acceptState": "Accepting",
        "capacity": {"runs": 4},
    }
    assert all(set(body) == {"spec"} for body in rest)
    assert len(machine.sent) >= 2


async def test_news_is_written_at_once_and_once() -> None:
    async with keeping(3600) as (api, keeper, _):
        await api.until(lambda: len(bodies(api)) == 1)
        keeper.announce(READY)
        keeper.announce(Announcement("i", AcceptState.DRAINING, {"runs": 4}))
        await api.until(lambda: len(bodies(api)) == 2)

    assert said(bodies(api)[1])["acceptState"] == "Draining"


async def test_a_lease_that_is_not_there_is_made() -> None:
    async with keeping(3600, 404) as (api, _, machine):
        await api.until(lambda: bool(bodies(api, "POST")))
        await until_sent(machine, 1)

    (made,) = bodies(api, "POST")
    assert made["spec"]["holderIdentity"] == "pod-uid"
    assert made["spec"]["acquireTime"] == made["spec"]["renewTime"]


async def test_a_lease_that_went_away_is_made_anew() -> None:
    async with keeping(0.15) as (api, _, machine):
        await api.until(lambda: len(bodies(api)) >= 1)
        api.answers.extend([("PATCH", 404, status(404, "NotFound"), {})] * 2)
        await api.until(lambda: bool(bodies(api, "POST")))
        await until_sent(machine, 2)


async def test_a_renewal_that_failed_is_not_told_and_soon_repeated() -> None:
    async with keeping(3600, 503, 500) as (api, _, machine):
        await until_sent(machine, 1)

    assert len(bodies(api)) == 3
    assert len(machine.sent) == 1


async def test_giving_up_removes_it() -> None:
    async with keeping(3600) as (api, keeper, _):
        await keeper.give_up()

    assert [path for method, path, _, _ in api.requests if method == "DELETE"] == [
        "/apis/coordination.k8s.io/v1/namespaces/default/leases/pod"
    ]


async def until_sent(machine: Renewals, count: int) -> None:
    async with asyncio.timeout(5):
        while len(machine.sent) < count:
            machine.told.clear()
            await machine.told.wait()
