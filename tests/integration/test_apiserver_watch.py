"""The API server as a process: lists in pages, watches from a version on, selectors, tables."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.apiserver_process import (
    CONFIG_MAPS,
    RUNS,
    Api,
    ServerProcess,
    connected,
    make_config_map,
    make_run,
    serving,
)

pytestmark = pytest.mark.integration
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[Api]:
    async with connected(server) as client:
        yield client


def names(items: list[dict[str, dict[str, str]]]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


async def space(api: Api, name: str, path: str = RUNS) -> str:
    """A namespace of the test's own."""
    await api.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    return path.replace("default", name)


async def test_pages_of_one_list_are_one_moment(api: Api) -> None:
    maps = await space(api, "pages", CONFIG_MAPS)
    for index in range(7):
        await api.create(maps, make_config_map(f"m{index}"))
    first = (await api.get(f"{maps}?limit=3")).body
    assert names(first["items"]) == ["m0", "m1", "m2"]
    assert first["metadata"]["remainingItemCount"] == 4
    await api.delete(f"{maps}/m4")
    await api.merge(f"{maps}/m5", {"data": {"late": "yes"}})
    await api.create(maps, make_config_map("m3a"))
    second = (await api.get(f"{maps}?limit=3&continue={first['metadata']['continue']}")).body
    assert names(second["items"]) == ["m3", "m4", "m5"]
    assert not second["items"][2].get("data")
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = (await api.get(f"{maps}?limit=3&continue={second['metadata']['continue']}")).body
    assert names(last["items"]) == ["m6"]
    assert "continue" not in last["metadata"]
    assert names((await api.get(maps)).body["items"]) == ["m0", "m1", "m2", "m3", "m3a", "m5", "m6"]
    assert (await api.get(f"{maps}?continue=nonsense")).status == 400


async def test_a_watch_goes_on_from_the_version_of_a_list(api: Api) -> None:
    runs = await space(api, "goes-on")
    await api.create(runs, make_run("before"))
    version = (await api.get(runs)).version
    await api.create(runs, make_run("after"))
    await api.merge(f"{runs}/before/status", {"status": {"phase": "Running"}})
    await api.delete(f"{runs}/after")
    async with api.watch(f"{runs}?resourceVersion={version}") as stream:
        seen = [await stream.next() for _ in range(3)]
        await api.delete(f"{runs}/before")
        seen.append(await stream.next())
    assert [(kind, item["metadata"]["name"]) for kind, item in seen] == [
        ("ADDED", "after"),
        ("MODIFIED", "before"),
        ("DELETED", "after"),
        ("DELETED", "before"),
    ]
    versions = [int(item["metadata"]["resourceVersion"]) for _, item in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(version)


async def test_a_watch_without_a_version_begins_with_what_there_is(api: Api) -> None:
    runs = await space(api, "begins")
    await api.create(runs, make_run("a"))
    for query in ("", "?resourceVersion=0"):
        async with api.watch(f"{runs}{query}") as stream:
            assert (await stream.next())[0] == "ADDED"


async def test_an_object_leaving_the_selection_is_deleted_for_its_watcher(api: Api) -> None:
    runs = await space(api, "leaving")
    selected = f"{runs}?fieldSelector=status.assignedPod=pod-1"
    async with (
        api.watch(selected) as mine,
        api.watch(f"{runs}?fieldSelector=status.assignedPod=pod-2") as other,
    ):
        await api.create(runs, make_run("r"))
        await api.merge(f"{runs}/r/status", {"status": {"assignedPod": "pod-1"}})
        kind, shown = await mine.next()
        assert (kind, shown["status"]["assignedPod"]) == ("ADDED", "pod-1")
        await api.merge(f"{runs}/r/status", {"status": {"phase": "Running"}})
        assert (await mine.next())[0] == "MODIFIED"
        moved = await api.merge(f"{runs}/r/status", {"status": {"assignedPod": "pod-2"}})
        kind, shown = await mine.next()
        assert (kind, shown["status"]["assignedPod"]) == ("DELETED", "pod-1")
        assert shown["metadata"]["resourceVersion"] == moved.version
        assert (await other.next())[0] == "ADDED"
    assert names((await api.get(f"{runs}?fieldSelector=status.assignedPod=pod-2")).body["items"]) == ["r"]
    assert names((await api.get(f"{runs}?fieldSelector=status.assignedPod!=pod-2")).body["items"]) == []


async def test_labels_select_lists_and_watches(api: Api) -> None:
    maps = await space(api, "labels", CONFIG_MAPS)
    async with api.watch(f"{maps}?labelSelector=tier in (a,b),!hidden") as stream:
        for name, labels in (("x", {"tier": "a"}), ("y", {"tier": "b", "hidden": "1"}), ("z", {"tier": "b"})):
            body = make_config_map(name)
            body["metadata"]["labels"] = labels
            await api.create(maps, body)
        assert names([(await stream.next())[1] for _ in range(2)]) == ["x", "z"]
    assert names((await api.get(f"{maps}?labelSelector=tier!=a")).body["items"]) == ["y", "z"]
    unknown = await api.get(f"{maps}?fieldSelector=data.a=b")
    known = 'only "metadata.name", "metadata.namespace"'
    assert unknown.status == 400
    assert unknown.body["message"] == f'"data.a" is not a known field selector: {known}'
    unknown = await api.get(f"{RUNS}?fieldSelector=data.a=b")
    assert (unknown.status, unknown.body["message"]) == (400, "field label not supported: data.a")


async def test_bookmarks_tell_how_far_a_quiet_watch_has_come(api: Api) -> None:
    runs = await space(api, "bookmarks")
    await api.create(runs, make_run("a"))
    query = (
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=3"
    )
    async with api.watch(f"{runs}?{query}") as stream:
        assert (await stream.next())[0] == "ADDED"
        kind, mark = await stream.next()
        assert (kind, mark["kind"]) == ("BOOKMARK", "Run")
        assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        later = (await api.create(RUNS, make_run("bookmarked"))).version
        rest = await stream.rest()
    assert {(kind, item["metadata"]["resourceVersion"]) for kind, item in rest} == {("BOOKMARK", later)}


async def test_versions_that_are_not_there_are_said_so(api: Api) -> None:
    async with api.watch(f"{RUNS}?resourceVersion=1&timeoutSeconds=1") as stream:
        assert stream.response.status == 200
    ahead = await api.get(f"{RUNS}?resourceVersion=999999")
    assert (ahead.status, ahead.body["reason"]) == (504, "Timeout")
    assert (await api.get(f"{RUNS}?resourceVersion=abc")).status == 400


async def test_one_object_can_be_watched_by_its_name(api: Api) -> None:
    runs = await space(api, "by-name")
    async with api.watch(f"{runs}?fieldSelector=metadata.name=b") as stream:
        await api.create(runs, make_run("a"))
        await api.create(runs, make_run("b"))
        assert (await stream.next())[1]["metadata"]["name"] == "b"
    assert (
        names(
            (await api.get(f"{RUNS}?fieldSelector=metadata.namespace=default,metadata.name=b")).body["items"]
        )
        == []
    )


async def test_tables_have_the_columns_of_the_crd(api: Api) -> None:
    runs = await space(api, "tables")
    await api.create(runs, make_run("a"))
    await api.merge(f"{runs}/a/status", {"status": {"phase": "Failed", "exitCode": 7}})
    table = (await api.call("GET", runs, Accept=TABLE)).body
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns == ["Name", "Phase", "Runtime", "Attempt", "Exit", "Pod", "Reason", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:6] == ["a", "Failed", "bash", None, 7, None]
    assert row["object"]["kind"] == "PartialObjectMetadata"


async def test_discovery_knows_every_kind(api: Api) -> None:
    groups = (await api.get("/apis")).body["groups"]
    assert {"apps", "coordination.k8s.io", "kruntimes.io"} <= {group["name"] for group in groups}
    listed = (await api.get("/apis/kruntimes.io/v1alpha1")).body["resources"]
    assert {r["name"] for r in listed} == {
        "runs",
        "runs/status",
        "runtimes",
        "runtimes/status",
        "runtimes/scale",
    }
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    found = (await api.call("GET", "/apis", Accept=accept)).body
    assert (found["kind"], found["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    core = (await api.call("GET", "/api", Accept=accept)).body["items"][0]["versions"][0]
    assert "pods" in {resource["resource"] for resource in core["resources"]}
