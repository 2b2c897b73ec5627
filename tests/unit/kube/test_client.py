"""The thin client: what it sends, and what it makes of each answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.kube import errors
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.codec import decode_run
from kruntimes_core.kube.kinds import LEASE, NAMESPACE, RUN
from kruntimes_core.kube.writes import Superseded, delete_run, write_event, write_fenced
from kruntimes_core.model.events import Assigned, Delivered
from kruntimes_core.model.identity import Assignment, RunRef
from tests.fakes import FakeApi, status

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ASSIGNED = Assigned(Assignment("pod", "pod-uid", "i"), NOW)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi.started() as api:
        yield api


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[Client]:
    async with Client(api.access, "a-program", timeout=5) as client:
        yield client


def run_object(version: str = "7", **status: object) -> dict[str, object]:
    return {
        "metadata": {
            "name": "r",
            "namespace": "n",
            "uid": "u",
            "resourceVersion": version,
            "creationTimestamp": "2026-03-01T00:00:00Z",
        },
        "spec": {"runtime": "bash"},
        "status": status,
    }


def scheduled(version: str = "7", attempt: int = 1, pod_uid: str = "pod-uid") -> dict[str, object]:
    return run_object(version, phase="Scheduled", attempt=attempt, assignedPod="pod", assignedPodUID=pod_uid)


PATHS = {
    "/apis/kruntimes.io/v1alpha1/namespaces/n/runs/r/status": RUN.named("n", "r").sub("status").path,
    "/apis/kruntimes.io/v1alpha1/runs": RUN.path(),
    "/apis/coordination.k8s.io/v1/namespaces/n/leases": LEASE.path("n"),
    "/api/v1/namespaces/n": NAMESPACE.named(None, "n").path,
}


@pytest.mark.parametrize("want", PATHS)
def test_paths_are_those_of_the_api(want: str) -> None:
    assert PATHS[want] == want


async def test_a_status_write_is_a_merge_patch_on_a_known_version(api: FakeApi, client: Client) -> None:
    api.answers.append(("PATCH", 200, run_object("8"), {}))
    assert await write_event(client, decode_run(json.dumps(run_object()).encode()), ASSIGNED, NOW) == "8"
    method, path, query, body = api.requests[0]
    assert (method, path) == ("PATCH", "/apis/kruntimes.io/v1alpha1/namespaces/n/runs/r/status")
    assert query == {"fieldManager": "a-program"}
    assert json.loads(body)["metadata"] == {"resourceVersion": "7"}
    assert json.loads(body)["status"]["phase"] == "Scheduled"


ANSWERS = {
    "no such object": (404, "NotFound", errors.NotFound),
    "someone wrote first": (409, "Conflict", errors.Conflict),
    "the name is taken": (409, "AlreadyExists", errors.AlreadyExists),
    "a rule is broken": (422, "Invalid", errors.Invalid),
    "too old": (410, "Expired", errors.Expired),
    "gone": (410, "Gone", errors.Expired),
    "not known": (401, "Unauthorized", errors.Unauthorized),
    "not allowed": (403, "Forbidden", errors.Forbidden),
    "too large": (413, "RequestEntityTooLarge", errors.BadRequest),
    "wrong type": (415, "UnsupportedMediaType", errors.BadRequest),
    "it failed": (500, "InternalError", errors.ServerFault),
    "a list of the future": (504, "Timeout", errors.ServerFault),
    "a word we do not know": (409, "Strange", errors.Conflict),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_each_status_becomes_our_error(api: FakeApi, client: Client, name: str) -> None:
    code, reason, want = ANSWERS[name]
    api.answers.append(("GET", code, status(code, reason, "because of this"), {}))
    with pytest.raises(want, match="because of this") as caught:
        await client.get(RUN.named("n", "r"))
    assert type(caught.value) is want
    assert caught.value.code == code


async def test_a_patch_meant_for_another_object_is_a_conflict(api: FakeApi, client: Client) -> None:
    body = status(422, "Invalid") | {"details": {"causes": [{"field": "metadata.uid"}]}}
    api.answers.append(("PATCH", 422, body, {}))
    with pytest.raises(errors.Conflict):
        await client.patch(RUN.named("n", "r"), {"metadata": {"uid": "another"}})


async def test_a_request_turned_away_is_sent_again_when_told(api: FakeApi, client: Client) -> None:
    api.answers.append(("GET", 429, status(429, "TooManyRequests"), {"Retry-After": "0"}))
    await client.list(RUN)
    assert len(api.requests) == 2


async def test_a_wait_longer_than_the_limit_is_the_callers_to_judge(api: FakeApi, client: Client) -> None:
    api.answers.append(("GET", 429, status(429, "TooManyRequests"), {"Retry-After": "60"}))
    with pytest.raises(errors.TooManyRequests) as caught:
        await client.list(RUN)
    assert caught.value.retry_after == 60


async def test_no_server_is_unreachable_and_keeps_its_cause() -> None:
    async with Client(ClusterAccess("http://127.0.0.1:1"), "test") as client:
        with pytest.raises(errors.Unreachable, match=r"GET http://127\.0\.0\.1:1/apis") as caught:
            await client.get(RUN.named("n", "r"))
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_server_that_says_nothing_is_unreachable(api: FakeApi, client: Client) -> None:
    with pytest.raises(errors.Unreachable, match=r"no answer within 0\.05 s"):
        await client.list(RUN, timeout=0.05, watch="true")


async def test_a_delete_names_the_uid_it_means(api: FakeApi, client: Client) -> None:
    api.answers.append(("DELETE", 409, status(409, "Conflict"), {}))
    assert not await delete_run(client, RunRef("n", "r", "u"))
    assert json.loads(api.requests[0][3])["preconditions"] == {"uid": "u"}


async def test_a_fenced_write_goes_over_what_others_changed(api: FakeApi, client: Client) -> None:
    run = decode_run(json.dumps(scheduled()).encode())
    api.answers += [
        ("PATCH", 409, status(409, "Conflict"), {}),
        ("GET", 200, scheduled("9"), {}),
        ("PATCH", 200, scheduled("10"), {}),
    ]
    assert await write_fenced(client, run, Delivered(NOW), NOW) == "10"
    assert json.loads(api.requests[2][3])["metadata"] == {"resourceVersion": "9"}


FENCED = {
    "another attempt": scheduled("9", attempt=2),
    "another member": scheduled("9", pod_uid="another"),
    "ended": run_object("9", phase="Cancelled", attempt=1, assignedPod="pod", assignedPodUID="pod-uid"),
}


@pytest.mark.parametrize("name", FENCED)
async def test_a_fenced_write_is_never_made_once_the_run_moved_on(
    api: FakeApi, client: Client, name: str
) -> None:
    run = decode_run(json.dumps(scheduled()).encode())
    api.answers += [("PATCH", 409, status(409, "Conflict"), {}), ("GET", 200, FENCED[name], {})]
    with pytest.raises(Superseded, match="moved on"):
        await write_fenced(client, run, Delivered(NOW), NOW)
    assert len(api.requests) == 2
