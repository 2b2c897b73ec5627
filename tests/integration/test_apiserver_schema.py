"""The API server as a process: what the project's own CRDs refuse, and CRDs that are not its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kruntimes_core.model.run import TERMINAL, Phase
from tests.integration.apiserver_process import (
    RUNS,
    START_SECONDS,
    Api,
    ServerProcess,
    connected,
    make_crd,
    make_run,
    serving,
)

pytestmark = pytest.mark.integration
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BOATS = "/apis/example.org/v1/namespaces/default/boats"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[Api]:
    async with connected(server) as client:
        yield client


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a quantity that is none": (
        {"resources": {"requests": {"cpu": "one"}}},
        'spec.resources.requests.cpu: Invalid value: "one": spec.resources.requests.cpu in body should match',
    ),
    "a negative quantity": (
        {"resources": {"limits": {"memory": -1}}},
        "spec.resources.limits.memory: Invalid value: -1: spec.resources.limits.memory in body should be",
    ),
    "a quantity with a minus": (
        {"resources": {"limits": {"memory": "-1Gi"}}},
        'spec.resources.limits.memory: Invalid value: "-1Gi"',
    ),
    "no time at all": ({"timeout": "0s"}, 'spec.timeout: Invalid value: "0s": must be longer than zero'),
    "a time beyond any clock": (
        {"timeout": "9999999h"},
        "must not be longer than ten years (87600h)",
    ),
    "a negative time": ({"timeout": "-5s"}, 'spec.timeout: Invalid value: "-5s"'),
    "a time without a unit": ({"queueTimeout": "5"}, 'spec.queueTimeout: Invalid value: "5"'),
    "a negative grace": (
        {"terminationGracePeriodSeconds": -1},
        "spec.terminationGracePeriodSeconds in body should be greater than or equal to 0",
    ),
    "a source over 256 KiB": (
        {"source": {"inline": "x" * 262145}},
        "spec.source.inline: Too long: may not be more than 262144 bytes",
    ),
    "a source over 256 KiB in few characters": (
        {"source": {"inline": "é" * 200_000}},
        "inline is longer than 262144 bytes (256 KiB)",
    ),
    "two origins": (
        {"source": {"inline": "x", "repoURL": "https://example.org/x.git"}},
        "spec.source: Invalid value: source must name exactly one origin",
    ),
    "no origin": (
        {"source": {}},
        "spec.source: Invalid value: source must name exactly one origin",
    ),
    "an origin that is not served": (
        {"source": {"uri": "https://example.org/x"}},
        "spec.source: Invalid value: source.inline is the one origin this version serves",
    ),
    "a file with two origins": (
        {"files": [{"path": "a", "text": "x", "base64": "eA=="}]},
        "spec.files[0]: Invalid value: a file must have exactly one of text and base64",
    ),
    "a path that climbs": (
        {"files": [{"path": "ok", "text": ""}, {"path": "a/../../etc/passwd", "text": ""}]},
        'spec.files[1].path: Invalid value: "a/../../etc/passwd": path must be relative to the workspace',
    ),
    "an absolute path": (
        {"source": {"inline": "x", "inlinePath": "/etc/passwd"}},
        'spec.source.inlinePath: Invalid value: "/etc/passwd": inlinePath must be relative to the workspace',
    ),
    "one path twice": (
        {"files": [{"path": "a", "text": "1"}, {"path": "a", "text": "2"}]},
        'spec.files[1]: Duplicate value: {"path":"a"}',
    ),
    "no runtime": (
        {"runtime": None},
        "spec.runtime: Required value, <nil>: Invalid value: null: some validation rules were not checked",
    ),
    "a field of another type": (
        {"priority": "high"},
        'spec.priority: Invalid value: "string": spec.priority in body must be of type integer: "string"',
    ),
    "too many attempts": (
        {"retryPolicy": {"maxAttempts": 11}},
        "spec.retryPolicy.maxAttempts: Invalid value: 11",
    ),
}


@pytest.mark.parametrize(("spec", "message"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_run_is_refused_with_the_field_named(api: Api, spec: dict[str, Any], message: str) -> None:
    got = await api.create(RUNS, make_run("refused", **spec))
    assert (got.status, got.body["reason"]) == (422, "Invalid")
    assert message in got.body["message"]
    assert got.body["details"]["causes"][0]["field"].startswith("spec.")


async def test_a_missing_runtime_is_required(api: Api) -> None:
    body = make_run("refused")
    del body["spec"]["runtime"]
    got = await api.create(RUNS, body)
    assert got.body["details"]["causes"][0] == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec.runtime",
    }


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another runtime": ({"runtime": "python"}, "runtime is immutable"),
    "another source": ({"source": {"inline": "false"}}, "source is immutable"),
    "a source taken away": ({"source": None}, "source is immutable"),
    "a time limit put in": ({"timeout": "1s"}, "timeout is immutable"),
    "another environment": ({"env": [{"name": "A", "value": "2"}]}, "env is immutable"),
    "other parameters": ({"parameters": {"deep": {"a": 2}}}, "parameters is immutable"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES.keys())
async def test_what_was_asked_for_stays(api: Api, change: dict[str, Any], message: str) -> None:
    name = message.split(maxsplit=1)[0] + "-kept"
    spec = {"env": [{"name": "A", "value": "1"}], "parameters": {"deep": {"a": 1}}}
    await api.create(RUNS, make_run(name, **spec))
    got = await api.merge(f"{RUNS}/{name}", {"spec": change})
    assert (got.status, got.body["details"]["causes"][0]["field"]) == (422, "spec")
    assert message in got.body["message"]


async def test_what_may_change_changes_and_a_cancel_is_for_good(api: Api) -> None:
    await api.create(RUNS, make_run("changes"))
    got = await api.merge(
        f"{RUNS}/changes", {"spec": {"priority": 3, "ttlSecondsAfterFinished": 5, "cancelRequested": True}}
    )
    assert got.status == 200
    for back in (False, None):
        refused = await api.merge(f"{RUNS}/changes", {"spec": {"cancelRequested": back}})
        assert refused.status == 422
        assert "spec.cancelRequested: " in refused.body["message"]
        assert "cancelRequested cannot be taken back" in refused.body["message"]


@pytest.mark.parametrize("phase", sorted(TERMINAL))
async def test_the_end_of_a_run_is_for_good(api: Api, phase: Phase) -> None:
    path = f"{RUNS}/ended-{phase.lower()}"
    made = await api.create(RUNS, make_run(f"ended-{phase.lower()}"))
    for before in (Phase.SCHEDULED, Phase.RUNNING, Phase.PENDING, phase):
        assert (await api.merge(f"{path}/status", {"status": {"phase": before}})).status == 200
    rewrites: list[Any] = [{"phase": other} for other in Phase if other != phase]
    for status in (*rewrites, {"phase": None}, None):
        refused = await api.merge(f"{path}/status", {"status": status})
        assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "status.phase")
        assert "a Run that has ended keeps its phase" in refused.body["message"]
    bare = {**made.body, "metadata": {"name": made.body["metadata"]["name"]}, "status": {}}
    assert (await api.call("PUT", f"{path}/status", bare)).status == 422
    assert (await api.merge(f"{path}/status", {"status": {"phase": phase, "message": "m"}})).status == 200
    assert (await api.merge(path, {"spec": {"ttlSecondsAfterFinished": 1}})).status == 200
    assert (await api.get(path)).body["status"] == {"phase": phase, "message": "m"}


async def test_unknown_fields_are_pruned_told_or_refused(api: Api) -> None:
    body = make_run("pruned", colour="blue")
    warned = await api.create(f"{RUNS}?fieldValidation=Warn", body)
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.colour\\""'
    assert "colour" not in warned.body["spec"]
    strict = await api.create(f"{RUNS}?fieldValidation=Strict", make_run("strict", colour="blue"))
    assert strict.status == 400
    assert strict.body["message"] == (
        'Run in version "v1alpha1" cannot be handled as a Run: '
        'strict decoding error: unknown field "spec.colour"'
    )


async def test_a_runtime_needs_its_runtime_container(api: Api) -> None:
    body: dict[str, Any] = {
        "apiVersion": "kruntimes.io/v1alpha1",
        "kind": "Runtime",
        "metadata": {"name": "bad"},
    }
    body["spec"] = {"template": {"spec": {"containers": [{"name": "other", "image": "x", "free": {"a": 1}}]}}}
    runtimes = RUNS.replace("runs", "runtimes")
    refused = await api.create(runtimes, body)
    assert "spec.template.spec.containers: " in refused.body["message"]
    assert "the first container must be named runtime" in refused.body["message"]
    body["spec"]["template"]["spec"]["containers"][0]["name"] = "runtime"
    made = await api.create(runtimes, body)
    assert made.body["spec"]["template"]["spec"]["containers"][0]["free"] == {"a": 1}
    assert (made.body["spec"]["replicas"], made.body["status"]) == (1, {})


BOAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["sail"],
            "properties": {
                "sail": {"type": "string", "enum": ["red", "white"]},
                "masts": {"type": "integer", "default": 1, "minimum": 1},
                "load": {"x-kubernetes-int-or-string": True},
                "extras": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "crew": {
                    "type": "array",
                    "maxItems": 9,
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "rank": {"type": "string", "default": "hand"},
                        },
                    },
                },
            },
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.crew) || size(self.crew) <= self.masts * 2",
                    "message": "too many for the masts",
                },
                {
                    "rule": "self.masts >= oldSelf.masts",
                    "messageExpression": "oldSelf.masts == 2 ? 'lost 2' : 'lost some'",
                },
            ],
        }
    },
}


async def until_served(api: Api) -> None:
    """Wait until the CRD is established and its resource answers: a moment later on a real server."""
    async with asyncio.timeout(START_SECONDS):
        while (await api.get(BOATS)).status != 200:
            await asyncio.sleep(0.02)
        conditions = (await api.get(f"{CRDS}/boats.example.org")).body["status"]["conditions"]
    assert {each["type"]: each["status"] for each in conditions}["Established"] == "True"


async def test_a_foreign_crd_is_served_from_its_creation_to_its_end(api: Api) -> None:
    made = await api.create(CRDS, make_crd(BOAT))
    assert made.status == 201, made.body
    await until_served(api)
    body = {"apiVersion": "example.org/v1", "kind": "Boat", "metadata": {"name": "b"}}
    body["spec"] = {
        "sail": "red",
        "load": "5t",
        "extras": {"a": [1]},
        "crew": [{"name": "x", "odd": 1}],
        "odd": 1,
    }
    got = await api.create(BOATS, body)
    assert got.body["spec"] == {
        "sail": "red",
        "load": "5t",
        "extras": {"a": [1]},
        "crew": [{"name": "x", "rank": "hand"}],
        "masts": 1,
    }
    blue = await api.merge(f"{BOATS}/b", {"spec": {"sail": "blue"}})
    assert 'spec.sail: Unsupported value: "blue": supported values: "red", "white"' in blue.body["message"]
    crowded = await api.merge(f"{BOATS}/b", {"spec": {"crew": [{}, {}, {}]}})
    assert "spec: Invalid value: too many for the masts" in crowded.body["message"]
    assert (await api.merge(f"{BOATS}/b", {"spec": {"masts": 2}})).status == 200
    assert "lost 2" in (await api.merge(f"{BOATS}/b", {"spec": {"masts": 1}})).body["message"]
    async with api.watch(BOATS) as stream:
        assert (await stream.next())[0] == "ADDED"
        await api.delete(f"{CRDS}/boats.example.org")
        assert [kind for kind, _ in await stream.rest()] == ["DELETED"]
    assert (await api.get(f"{BOATS}/b")).status == 404
    assert (await api.get(f"{CRDS}/boats.example.org")).status == 404


CRD_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a schema without a type": (
        {"type": "object", "properties": {"spec": {}}},
        ".properties[spec].type: Required",
    ),
    "properties beside additionalProperties": (
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}},
                    "additionalProperties": {"type": "string"},
                }
            },
        },
        "additionalProperties and properties are mutual exclusive",
    ),
}


@pytest.mark.parametrize(("schema", "message"), CRD_FAULTS.values(), ids=CRD_FAULTS.keys())
async def test_a_crd_that_cannot_be_served_is_refused(api: Api, schema: dict[str, Any], message: str) -> None:
    got = await api.create(CRDS, make_crd(schema))
    assert got.status == 422
    assert message in got.body["message"]


async def test_a_function_of_kubernetes_own_is_said_to_be_missing(api: Api) -> None:
    rule = {"x-kubernetes-validations": [{"rule": "isQuantity(self.a)"}]}
    spec = {"type": "object", "properties": {"a": {"type": "string"}}} | rule
    got = await api.create(CRDS, make_crd({"type": "object", "properties": {"spec": spec}}))
    assert got.status == 422
    assert "undeclared reference to 'isQuantity'" in got.body["message"]
