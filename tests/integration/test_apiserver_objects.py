"""The API server as a process: objects, their metadata, and the words of its errors."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from http.client import HTTPSConnection
from typing import Any

import pytest
import yaml

from tests.integration.apiserver_process import (
    CONFIG_MAPS,
    MERGE,
    RUNS,
    Api,
    ServerProcess,
    connected,
    make_config_map,
    make_run,
    serving,
)

pytestmark = pytest.mark.integration
JSON_PATCH = "application/json-patch+json"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[Api]:
    async with connected(server) as client:
        yield client


async def test_a_created_object_gets_what_the_server_owns(api: Api) -> None:
    body = make_run("owned") | {"status": {"phase": "Succeeded"}}
    got = await api.create(RUNS, body)
    assert got.status == 201
    metadata = got.body["metadata"]
    assert metadata["namespace"] == "default"
    assert metadata["generation"] == 1
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert got.body["status"] == {"phase": "Pending"}
    assert got.body["spec"]["ttlSecondsAfterFinished"] == 3600
    assert (await api.get(f"{RUNS}/owned")).body == got.body


async def test_a_generated_name_keeps_its_prefix(api: Api) -> None:
    body = make_run("x") | {"metadata": {"generateName": "batch-"}}
    names = {(await api.create(RUNS, body)).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("batch-") and len(name) == 11 for name in names)


async def test_errors_are_worded_as_kubernetes_words_them(api: Api) -> None:
    await api.create(RUNS, make_run("worded"))
    missing = await api.get(f"{RUNS}/nobody")
    assert (missing.status, missing.body["reason"]) == (404, "NotFound")
    assert missing.body["message"] == 'runs.kruntimes.io "nobody" not found'
    assert missing.body["details"] == {"name": "nobody", "group": "kruntimes.io", "kind": "runs"}
    twice = await api.create(RUNS, make_run("worded"))
    assert (twice.status, twice.body["reason"]) == (409, "AlreadyExists")
    assert twice.body["message"] == 'runs.kruntimes.io "worded" already exists'
    stale = await api.merge(f"{RUNS}/worded", {"metadata": {"resourceVersion": "1"}, "spec": {"priority": 1}})
    assert (stale.status, stale.body["reason"]) == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on runs.kruntimes.io "worded": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    nowhere = await api.create(RUNS.replace("default", "nowhere"), make_run("a"))
    assert (nowhere.status, nowhere.body["message"]) == (404, 'namespaces "nowhere" not found')
    kind = await api.get("/apis/kruntimes.io/v1alpha1/namespaces/default/walks")
    assert (kind.status, kind.body) == (404, "404 page not found\n")
    kind = await api.get("/api/v1/namespaces/default/walks")
    assert kind.body["message"] == "the server could not find the requested resource"
    group = await api.get("/apis/no.such.group/v1/walks")
    assert (group.status, group.body) == (404, "404 page not found\n")
    nameless = await api.create(RUNS, make_run("x") | {"metadata": {}})
    assert "metadata.name: Required value: name or generateName is required" in nameless.body["message"]
    bad_name = await api.create(RUNS, make_run("Not_A_Name"))
    assert bad_name.status == 422
    assert (
        'metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain'
        in bad_name.body["message"]
    )


async def test_only_the_token_opens_the_door(api: Api) -> None:
    for token in ("Bearer wrong", "", "Basic abc", "Bearer \u00e9"):
        got = await api.call("GET", RUNS, Authorization=token)
        assert (got.status, got.body["reason"], got.body["message"]) == (401, "Unauthorized", "Unauthorized")
    assert (await api.call("GET", "/readyz", Authorization="")).status == 200


async def test_bodies_that_cannot_be_read_are_refused(api: Api) -> None:
    assert (await api.create(RUNS, b"{")).status == 400
    assert (await api.create(RUNS, b"[]")).status == 400
    assert (await api.create(RUNS, make_config_map("a"))).status == 400
    assert (await api.call("POST", RUNS, make_run("a"), "text/plain")).status == 415


def test_a_body_over_the_limit_is_refused(server: ServerProcess) -> None:
    config = yaml.safe_load(server.kubeconfig.read_text())
    tls = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    connection = HTTPSConnection("127.0.0.1", int(server.address.rpartition(":")[2]), context=tls)
    with closing(connection):
        connection.request("POST", RUNS, b" " * (3 * 1024 * 1024 + 1), headers)
        response = connection.getresponse()
        assert response.status == 413
        assert b'"message":"Request entity too large: limit is 3145728"' in response.read()


async def test_a_body_in_yaml_is_read(api: Api) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: b}\n"
    got = await api.call("POST", CONFIG_MAPS, text, "application/yaml")
    assert (got.status, got.body["data"]) == (201, {"a": "b"})


async def test_generation_counts_changes_of_the_spec_alone(api: Api) -> None:
    first = await api.create(RUNS, make_run("counted"))
    labelled = await api.merge(f"{RUNS}/counted", {"metadata": {"labels": {"a": "b"}}})
    assert labelled.body["metadata"]["generation"] == 1
    assert labelled.version != first.version
    raised = await api.merge(f"{RUNS}/counted", {"spec": {"priority": 5}})
    assert raised.body["metadata"]["generation"] == 2
    status = await api.merge(f"{RUNS}/counted/status", {"status": {"reason": "NoRoom"}})
    assert status.body["metadata"]["generation"] == 2
    again = await api.merge(f"{RUNS}/counted/status", {"status": {"reason": "NoRoom"}})
    assert again.version == status.version, "a write that changes nothing keeps its version"


async def test_each_part_is_written_through_its_own_address(api: Api) -> None:
    await api.create(RUNS, make_run("parts"))
    main = await api.merge(f"{RUNS}/parts", {"spec": {"priority": 1}, "status": {"phase": "Failed"}})
    assert main.body["status"] == {"phase": "Pending"}
    status = await api.merge(
        f"{RUNS}/parts/status",
        {"spec": {"priority": 9}, "metadata": {"labels": {"a": "b"}}, "status": {"attempt": 1}},
    )
    assert status.body["spec"]["priority"] == 1
    assert "labels" not in status.body["metadata"]
    assert status.body["status"] == {"phase": "Pending", "attempt": 1}


async def test_an_update_needs_the_version_it_was_made_from(api: Api) -> None:
    made = (await api.create(RUNS, make_run("put"))).body
    unversioned = made | {"metadata": {"name": "put"}}
    refused = await api.call("PUT", f"{RUNS}/put", unversioned)
    assert refused.status == 422
    assert (
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
        in refused.body["message"]
    )
    taken = await api.call("PUT", f"{RUNS}/put", made | {"spec": made["spec"] | {"priority": 3}})
    assert (taken.status, taken.body["spec"]["priority"]) == (200, 3)
    assert (await api.call("PUT", f"{RUNS}/put", made)).status == 409
    await api.create(CONFIG_MAPS, make_config_map("put"))
    free = await api.call("PUT", f"{CONFIG_MAPS}/put", make_config_map("put", a="b"))
    assert (free.status, free.body["data"]) == (200, {"a": "b"})
    other = await api.call("PUT", f"{CONFIG_MAPS}/put", make_config_map("other"))
    assert other.body["message"] == "the name of the object (other) does not match the name on the URL (put)"


async def test_of_two_writers_of_one_version_one_wins(api: Api) -> None:
    version = (await api.create(RUNS, make_run("raced"))).version
    patches = [{"metadata": {"resourceVersion": version}, "spec": {"priority": i}} for i in range(1, 9)]
    answers = await asyncio.gather(*(api.merge(f"{RUNS}/raced", patch) for patch in patches))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


async def test_json_patches(api: Api) -> None:
    await api.create(CONFIG_MAPS, make_config_map("patched", a="1"))

    async def patch(*operations: object) -> tuple[int, Any]:
        got = await api.call("PATCH", f"{CONFIG_MAPS}/patched", list(operations), JSON_PATCH)
        return got.status, got.body.get("message", got.body.get("data"))

    assert await patch({"op": "replace", "path": "/data/a", "value": "2"}) == (200, {"a": "2"})
    test = {"op": "test", "path": "/data/a", "value": "1"}
    refused = "the server rejected our request due to an error in our request"
    assert await patch(test, {"op": "remove", "path": "/data/a"}) == (422, refused)
    assert await patch({"op": "remove", "path": "/data/z"}) == (422, refused)
    assert await patch({"op": "dance", "path": "/data/a"}) == (422, refused)
    assert (await api.get(f"{CONFIG_MAPS}/patched")).body["data"] == {"a": "2"}


async def test_a_custom_resource_has_no_strategic_merge(api: Api) -> None:
    await api.create(RUNS, make_run("unpatched"))
    strategic = await api.call("PATCH", f"{RUNS}/unpatched", {}, "application/strategic-merge-patch+json")
    assert (strategic.status, strategic.body["reason"]) == (415, "UnsupportedMediaType")


async def test_server_side_apply_is_said_to_be_missing(api: Api) -> None:
    await api.create(RUNS, make_run("unapplied"))
    apply = await api.call("PATCH", f"{RUNS}/unapplied", b"{}", "application/apply-patch+yaml")
    assert apply.status == 415
    assert "no server-side apply" in apply.body["message"]


async def test_a_patch_may_name_the_very_object_it_is_for(api: Api) -> None:
    uid = (await api.create(RUNS, make_run("very"))).body["metadata"]["uid"]
    assert (
        await api.merge(f"{RUNS}/very", {"metadata": {"uid": uid}, "spec": {"priority": 1}})
    ).status == 200
    other = await api.merge(f"{RUNS}/very", {"metadata": {"uid": "another"}, "spec": {"priority": 2}})
    assert (other.status, other.body["details"]["causes"][0]["field"]) == (422, "metadata.uid")
    assert 'metadata.uid: Invalid value: "another": field is immutable' in other.body["message"]
    assert (await api.get(f"{RUNS}/very")).body["spec"]["priority"] == 1


async def test_delete_asks_for_the_very_object(api: Api) -> None:
    made = await api.create(RUNS, make_run("gone"))
    uid = made.body["metadata"]["uid"]
    other = await api.delete(f"{RUNS}/gone", {"preconditions": {"uid": "another"}})
    assert other.status == 409
    assert (
        f"the UID in the precondition (another) does not match the UID in record ({uid})"
        in other.body["message"]
    )
    assert 'on Run.kruntimes.io "gone": ' in other.body["message"]
    old = await api.delete(f"{RUNS}/gone", {"preconditions": {"resourceVersion": "1"}})
    assert old.status == 409
    assert "the ResourceVersion in the precondition (1) does not match" in old.body["message"]
    done = await api.delete(
        f"{RUNS}/gone", {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
    )
    assert (done.status, done.body["status"]) == (200, "Success")
    assert done.body["details"] == {"name": "gone", "group": "kruntimes.io", "kind": "runs", "uid": uid}
    assert (await api.get(f"{RUNS}/gone")).status == 404


async def test_finalizers_hold_an_object_until_they_are_gone(api: Api) -> None:
    body = make_run("held")
    body["metadata"]["finalizers"] = ["example.org/a", "example.org/b"]
    await api.create(RUNS, body)
    marked = await api.delete(f"{RUNS}/held")
    assert marked.body["metadata"]["deletionTimestamp"]
    refused = await api.merge(f"{RUNS}/held", {"metadata": {"finalizers": ["example.org/c"]}})
    assert refused.status == 422
    assert "metadata.finalizers: Forbidden: no new finalizers can be added" in refused.body["message"]
    await api.merge(f"{RUNS}/held", {"metadata": {"finalizers": ["example.org/a"]}})
    assert (await api.get(f"{RUNS}/held")).status == 200
    await api.merge(f"{RUNS}/held", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{RUNS}/held")).status == 404


async def test_a_dry_run_judges_and_changes_nothing(api: Api) -> None:
    made = await api.create(f"{RUNS}?dryRun=All", make_run("dry"))
    assert (made.status, made.body["status"]["phase"]) == (201, "Pending")
    assert (await api.get(f"{RUNS}/dry")).status == 404
    await api.create(RUNS, make_run("dry"))
    await api.delete(f"{RUNS}/dry", {"dryRun": ["All"]})
    assert (await api.get(f"{RUNS}/dry")).status == 200


async def test_a_pod_goes_when_the_kubelet_says_so(api: Api) -> None:
    pods = "/api/v1/namespaces/default/pods"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    body["spec"] = {
        "containers": [{"name": "c", "image": "i"}],
        "terminationGracePeriodSeconds": 7,
        "nodeName": "n",
    }
    assert (await api.create(pods, body)).body["status"]["phase"] == "Pending"
    marked = await api.delete(f"{pods}/p")
    assert marked.body["metadata"]["deletionGracePeriodSeconds"] == 7
    assert (await api.get(f"{pods}/p")).status == 200
    assert (await api.delete(f"{pods}/p", {"gracePeriodSeconds": 0})).status == 200
    assert (await api.get(f"{pods}/p")).status == 404


async def test_strategic_merge_knows_the_keys_of_lists(api: Api) -> None:
    pods = "/api/v1/namespaces/default/pods"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s"}}
    body["spec"] = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    await api.create(pods, body)
    patch = {"spec": {"containers": [{"name": "b", "image": "2"}]}}
    got = await api.call("PATCH", f"{pods}/s", patch, "application/strategic-merge-patch+json")
    images = [(each["name"], each["image"]) for each in got.body["spec"]["containers"]]
    assert images == [("a", "1"), ("b", "2")]


async def test_a_scale_is_another_face_of_the_object(api: Api) -> None:
    runtimes = RUNS.replace("runs", "runtimes")
    body = {"apiVersion": "kruntimes.io/v1alpha1", "kind": "Runtime", "metadata": {"name": "bash"}}
    body["spec"] = {"template": {"spec": {"containers": [{"name": "runtime", "image": "x"}]}}}
    await api.create(runtimes, body)
    shown = await api.get(f"{runtimes}/bash/scale")
    assert (shown.body["kind"], shown.body["spec"]) == ("Scale", {"replicas": 1})
    scaled = await api.merge(f"{runtimes}/bash/scale", {"spec": {"replicas": 3}})
    assert scaled.body["spec"] == {"replicas": 3}
    assert (await api.get(f"{runtimes}/bash")).body["spec"]["replicas"] == 3


async def test_a_namespace_takes_its_content_along(api: Api) -> None:
    namespaces = "/api/v1/namespaces"
    await api.create(namespaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short"}})
    runs = RUNS.replace("default", "short")
    held = make_run("a")
    held["metadata"]["finalizers"] = ["example.org/wait"]
    await api.create(runs, held)
    async with api.watch(f"{namespaces}?fieldSelector=metadata.name=short") as stream:
        assert (await stream.next())[0] == "ADDED"
        await api.delete(f"{namespaces}/short")
        kind, shown = await stream.next()
        assert (kind, shown["status"]["phase"]) == ("MODIFIED", "Terminating")
        late = await api.create(runs, make_run("late"))
        assert late.status == 403
        assert "because it is being terminated" in late.body["message"]
        await api.merge(f"{runs}/a", {"metadata": {"finalizers": None}})
        while kind != "DELETED":
            kind, _ = await stream.next()
    refused = await api.delete(f"{namespaces}/default")
    assert refused.body["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name, label in (("c1", "x"), ("c2", "x"), ("c3", "y")):
        body = make_config_map(name)
        body["metadata"]["labels"] = {"group": label}
        await api.create(CONFIG_MAPS, body)
    await api.delete(f"{CONFIG_MAPS}?labelSelector=group=x")
    left = (await api.get(f"{CONFIG_MAPS}?labelSelector=group")).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["c3"]


async def test_orphans_lose_their_owner_and_stay(api: Api) -> None:
    owner = (await api.create(CONFIG_MAPS, make_config_map("owner"))).body["metadata"]["uid"]
    body = make_config_map("dependent")
    body["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
    ]
    await api.create(CONFIG_MAPS, body)
    await api.delete(f"{CONFIG_MAPS}/owner", {"propagationPolicy": "Orphan"})
    async with api.watch(f"{CONFIG_MAPS}?fieldSelector=metadata.name=dependent") as stream:
        kind, shown = await stream.next()
        while shown["metadata"].get("ownerReferences"):
            kind, shown = await stream.next()
        assert kind in ("ADDED", "MODIFIED")


async def test_requests_are_counted_by_who_makes_them(api: Api) -> None:
    await api.call("PATCH", f"{RUNS}/nobody/status", {}, MERGE, User_Agent="counter-test")
    counted = (await api.get("/debug/requests")).body["requests"]
    mine = [each for each in counted if each["userAgent"] == "counter-test"]
    assert mine == [{"verb": "patch", "resource": "runs/status", "userAgent": "counter-test", "count": 1}]
