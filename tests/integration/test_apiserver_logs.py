"""The API server as a process: a Pod's log is what the kubelet wrote, whole, from its end, or as it grows."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kruntimes_core.dev.logfiles import put_aside
from tests.integration.apiserver_process import Api, ServerProcess, connected, serving

pytestmark = pytest.mark.integration
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving() as process:
        yield process


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[Api]:
    async with connected(server) as client:
        yield client


async def make_pod(api: Api, server: ServerProcess, name: str, *containers: str) -> Path:
    """A Pod, and the folder of its logs."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
    got = await api.create(
        PODS, body | {"spec": {"containers": [{"name": each, "image": "i"} for each in containers]}}
    )
    folder = server.data / "pods" / str(got.body["metadata"]["uid"])
    folder.mkdir(parents=True)
    return folder


async def test_a_log_is_read_whole_or_from_its_end(api: Api, server: ServerProcess) -> None:
    folder = await make_pod(api, server, "whole", "c")
    waiting = await api.get(f"{PODS}/whole/log")
    assert (waiting.status, waiting.body["reason"]) == (400, "BadRequest")
    assert 'container "c" in pod "whole" is waiting to start' in waiting.body["message"]
    (folder / "c.log").write_text("one\ntwo\nthree\n")
    for query, want in (
        ("", "one\ntwo\nthree\n"),
        ("?tailLines=2", "two\nthree\n"),
        ("?tailLines=0", ""),
        ("?tailLines=99", "one\ntwo\nthree\n"),
        ("?limitBytes=5", "one\nt"),
    ):
        assert (await api.get(f"{PODS}/whole/log{query}")).body == want


async def test_the_container_must_be_named_when_there_are_several(api: Api, server: ServerProcess) -> None:
    folder = await make_pod(api, server, "several", "a", "b")
    (folder / "b.log").write_text("from b\n")
    unnamed = await api.get(f"{PODS}/several/log")
    assert (
        "a container name must be specified for pod several, choose one of: [a b]" in unnamed.body["message"]
    )
    wrong = await api.get(f"{PODS}/several/log?container=../../ca/token")
    assert (wrong.status, wrong.body["reason"]) == (400, "BadRequest")
    assert (await api.get(f"{PODS}/several/log?container=b")).body == "from b\n"


async def test_a_log_is_followed_until_the_pod_has_ended(api: Api, server: ServerProcess) -> None:
    folder = await make_pod(api, server, "followed", "c")
    with (folder / "c.log").open("w") as file:
        async with api.session.get(f"{api.address}{PODS}/followed/log?follow=true") as response:
            for text in ("first\n", "second\n"):
                file.write(text)
                file.flush()
                assert (await response.content.readline()).decode() == text
            file.write("last")
            file.flush()
            await api.merge(f"{PODS}/followed/status", {"status": {"phase": "Succeeded"}})
            assert await response.content.read() == b"last"


async def test_a_log_that_is_put_aside_is_followed_without_a_loss(api: Api, server: ServerProcess) -> None:
    folder = await make_pod(api, server, "rotated", "c")
    path = folder / "c.log"
    path.write_text("first\n")
    async with api.session.get(f"{api.address}{PODS}/rotated/log?follow=true") as response:
        assert await response.content.readline() == b"first\n"
        for number in range(3):
            with path.open("a") as file:
                file.write(f"{number} before\n")
            put_aside(path, 0)
            with path.open("a") as file:
                file.write(f"{number} after\n")
            assert await response.content.readline() == f"{number} before\n".encode()
            assert await response.content.readline() == f"{number} after\n".encode()
    assert (await api.get(f"{PODS}/rotated/log")).body == "2 after\n"
