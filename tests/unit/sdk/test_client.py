"""Both clients over a transport made of functions: one watch for all, whatever happens to it."""

import contextlib
import json
import pickle
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import kruntimes
import pytest
from kruntimes._errors import Unreachable
from kruntimes._wire import Request, Response

from tests.unit.sdk.bridge import bridged
from tests.unit.sdk.runs import FakeTransport, answer, line, make_run, refusal

PATIENCE = 5


class Server:
    """Runs by name; a create is remembered and answered."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, object]] = {}
        self.version = 10
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self.lock:
            if request.method == "POST":
                name = json.loads(request.body or b"")["metadata"]["name"]
                self.version += 1
                self.runs[name] = make_run(name, str(self.version))
                return answer(self.runs[name], 201)
            if request.path.endswith("/runs"):
                meta = {"resourceVersion": str(self.version)}
                return answer({"metadata": meta, "items": list(self.runs.values())})
            name = request.path.rpartition("/")[2]
            return answer(self.runs[name]) if name in self.runs else refusal(404, "NotFound", f"no {name}")

    def end(self, name: str, phase: str = "Succeeded") -> bytes:
        with self.lock:
            self.version += 1
            self.runs[name] = make_run(name, str(self.version), phase, exitCode=0)
            return line("MODIFIED", self.runs[name])


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def transport(server: Server) -> FakeTransport:
    return FakeTransport(server)


@contextmanager
def threaded(transport: FakeTransport) -> Iterator[kruntimes.Client]:
    with kruntimes.Client(transport=transport) as client:
        yield client


@pytest.fixture(params=[threaded, bridged], ids=["threads", "loop"])
def client(request: pytest.FixtureRequest, transport: FakeTransport) -> Iterator[kruntimes.Client]:
    with request.param(transport) as client:
        yield client


def test_a_run_is_followed_from_its_creation(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash", args=["true"])
    request, stream = transport.opened.get(timeout=PATIENCE)
    assert request.query["resourceVersion"] == "11"
    stream.lines.put(server.end(handle.name))
    assert handle.result(PATIENCE).succeeded
    assert [r.method for r in transport.requests] == ["POST"]


def test_many_threads_share_one_watch(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handles = [client.run("bash") for _ in range(20)]
    _, stream = transport.opened.get(timeout=PATIENCE)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(handle.result, PATIENCE) for handle in handles]
        for handle in handles:
            stream.lines.put(server.end(handle.name))
        assert all(result.result().succeeded for result in waiting)
    assert transport.opened.empty()


def test_a_run_that_ended_before_anybody_waited_is_seen(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    first = client.submit("bash")
    second = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    server.end(first.name)
    stream.lines.put(server.end(second.name))
    assert second.result(PATIENCE).succeeded
    assert first.result(PATIENCE).succeeded


def test_a_broken_watch_goes_on_where_it_was(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(line("BOOKMARK", {"metadata": {"resourceVersion": "12"}}))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, PATIENCE)
        stream.lines.put(Unreachable("broken"))
        request, stream = transport.opened.get(timeout=PATIENCE)
        assert request.query["resourceVersion"] == "12"
        stream.lines.put(server.end(handle.name))
        assert waiting.result().succeeded


def test_an_expired_watch_reads_the_list_anew(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, PATIENCE)
        server.end(handle.name)
        while not waiting.done():  # a second time, if it begins to wait only now, from its first version
            stream.lines.put(line("ERROR", {"code": 410, "message": "too old"}))
            stream.lines.put(None)
            with contextlib.suppress(queue.Empty):
                _, stream = transport.opened.get(timeout=0.1)
        assert waiting.result().succeeded


def test_a_run_that_is_deleted_under_the_wait_is_told(
    client: kruntimes.Client, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(line("DELETED", make_run(handle.name, "12", "Running")))
    with pytest.raises(kruntimes.NotFound, match="deleted"):
        handle.result(PATIENCE)


def test_a_run_deleted_after_its_end_keeps_its_result(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(server.end(handle.name))
    stream.lines.put(line("DELETED", make_run(handle.name, "99", "Succeeded")))
    assert handle.result(PATIENCE).succeeded


def test_a_wait_has_its_bound_and_the_run_goes_on(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    with pytest.raises(kruntimes.WaitTimeout, match="goes on"):
        handle.result(0.01)
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(server.end(handle.name))
    assert handle.result(PATIENCE).succeeded


def test_a_bad_end_is_raised_unless_told_otherwise(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("bash")
    _, stream = transport.opened.get(timeout=PATIENCE)
    stream.lines.put(server.end(handle.name, "Timeout"))
    with pytest.raises(kruntimes.RunTimeout) as caught:
        handle.result(PATIENCE)
    assert caught.value.result == handle.result(PATIENCE, check=False)


def test_a_run_of_somebody_else_is_picked_up_by_its_name(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["theirs"] = make_run("theirs", "7", "Running")
    handle = client.get("theirs")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, PATIENCE)
        request, stream = transport.opened.get(timeout=PATIENCE)
        assert request.query["fieldSelector"] == "metadata.name=theirs"
        stream.lines.put(server.end("theirs"))
        assert waiting.result().name == "theirs"


def test_a_run_that_has_ended_needs_no_watch(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["done"] = make_run("done", "7", "Succeeded", output={"stdout": {"tail": "hi\n"}})
    assert client.result("done", 1).stdout == b"hi\n"
    assert transport.opened.empty()


def test_a_closed_client_lets_nobody_wait(client: kruntimes.Client, transport: FakeTransport) -> None:
    handle = client.run("bash")
    transport.opened.get(timeout=PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, PATIENCE)
        client.close()
        with pytest.raises(kruntimes.Unreachable, match="closed"):
            waiting.result()


def test_what_is_not_there_is_not_found(client: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.NotFound, match="no nobody"):
        client.get("nobody")


def test_a_list_is_asked_for_by_fields_and_labels(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["a"] = make_run("a")
    assert [run.name for run in client.list(runtime="bash", phase="Pending", selector="x=y")] == ["a"]
    query = transport.requests[-1].query
    assert query["fieldSelector"] == "spec.runtime=bash,status.phase=Pending"
    assert query["labelSelector"] == "x=y"


def test_a_cancel_is_a_wish(client: kruntimes.Client, server: Server, transport: FakeTransport) -> None:
    server.runs["a"] = make_run("a")
    client.cancel("a")
    assert json.loads(transport.requests[-1].body or b"") == {"spec": {"cancelRequested": True}}


def test_a_handle_is_found_again_by_its_reference(client: kruntimes.Client, server: Server) -> None:
    handle = client.submit("bash")
    server.end(handle.name)
    stored = json.loads(json.dumps(handle.reference))
    assert client.get(**stored).result(1).succeeded


def test_a_successor_of_the_same_name_is_not_taken_for_the_run(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["r"] = make_run("r")
    handle = client.get("r")
    server.runs["r"] = {**make_run("r"), "metadata": {**make_run("r")["metadata"], "uid": "another"}}
    with pytest.raises(kruntimes.NotFound, match="another one has its name"):
        client.get(**handle.reference)
    with pytest.raises(kruntimes.NotFound, match="another one has its name"):
        handle.status()
    handle.cancel()
    assert json.loads(transport.requests[-1].body or b"")["metadata"] == {"uid": "uid-r"}


def test_a_successor_that_the_watch_shows_ends_the_wait(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    server.runs["r"] = make_run("r", "7", "Running")
    handle = client.get("r")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, PATIENCE)
        _, stream = transport.opened.get(timeout=PATIENCE)
        other = make_run("r", "12", "Succeeded")
        other["metadata"]["uid"] = "another"
        stream.lines.put(line("MODIFIED", other))
        with pytest.raises(kruntimes.NotFound, match="deleted"):
            waiting.result()


def test_a_wait_that_is_over_tells_what_the_run_waits_for(
    client: kruntimes.Client, server: Server, transport: FakeTransport
) -> None:
    handle = client.run("pyton")
    _, stream = transport.opened.get(timeout=PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.result, 1)
        held = make_run(handle.name, "12", "Pending", reason="NoSuchRuntime", message="there is no pyton")
        stream.lines.put(line("MODIFIED", held))
        with pytest.raises(kruntimes.WaitTimeout, match=r"it is Pending, NoSuchRuntime: there is no pyton"):
            waiting.result()


def test_a_closed_client_says_so(client: kruntimes.Client) -> None:
    client.close()
    with pytest.raises(kruntimes.KruntimesError, match="closed"):
        client.run("bash")


def test_a_handle_says_how_it_travels(client: kruntimes.Client) -> None:
    handle = client.submit("bash")
    raw = getattr(handle, "_behind", handle)
    with pytest.raises(TypeError, match=r"store handle\.reference"):
        pickle.dumps(raw)
