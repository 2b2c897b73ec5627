"""The SDK against the whole path: API server, scheduler, daemon and bash, as a user meets them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import kruntimes
import pytest
from kruntimes import RunOptions
from kruntimes.kubeconfig import from_files

from tests.integration.dev_process import Dev, dev_in, eventually, krt
from tests.unit.sdk.bridge import bridged_on

pytestmark = [pytest.mark.integration]

BOUND = 60.0
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "03-python-run" / "run.py"


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        krt("dev", "up", "--detach", "--data", str(dev.layout.data), "--slots", "8")
        # It returned when every default Runtime was ready, and not before.
        found = krt("get", "runtimes", "-o", "json", "--kubeconfig", str(dev.layout.kubeconfig)).stdout
        ready = {
            item["metadata"]["name"]: item["status"]["readyReplicas"] for item in json.loads(found)["items"]
        }
        assert ready == {"bash": 1, "python": 1}
        yield dev
        krt("dev", "down", "--data", str(dev.layout.data))
        assert dev.traces() == []


@contextmanager
def threaded(dev: Dev) -> Iterator[kruntimes.Client]:
    with dev.client() as client:
        yield client


@contextmanager
def looped(dev: Dev) -> Iterator[kruntimes.Client]:
    with bridged_on(lambda: kruntimes.AsyncClient(from_files([dev.layout.kubeconfig]))) as client:
        yield client


@pytest.fixture(params=[threaded, looped], ids=["threads", "loop"])
def either(request: pytest.FixtureRequest, dev: Dev) -> Iterator[kruntimes.Client]:
    """A client of each kind."""
    with request.param(dev) as client:
        yield client


@pytest.fixture
def client(dev: Dev) -> Iterator[kruntimes.Client]:
    with dev.client() as client:
        yield client


def test_a_run_gives_its_result(either: kruntimes.Client) -> None:
    script = 'echo "$1 $A"; cat data.txt; cat; echo to stderr >&2; echo k=v >> "$KRUNTIMES_OUTPUTS"'
    handle = either.run(
        "bash", source=script, args=["one"], env={"A": "two"}, files={"data.txt": "three\n"}, stdin="four"
    )
    result = handle.result(BOUND)
    assert result.stdout == b"one two\nthree\nfour"
    assert result.stderr == b"to stderr\n"
    assert (result.exit_code, result.attempt, dict(result.outputs)) == (0, 1, {"k": "v"})


def test_a_field_that_the_server_refuses_is_named_as_it_was_written(client: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.RunFailed, match=r"spec\.mode\.task has nothing to run") as caught:
        client.run("bash").result(BOUND)
    assert caught.value.result.reason == "SpecInvalid"


def test_runs_that_were_waited_for_by_name_leave_no_connection_behind(dev: Dev) -> None:
    with dev.client() as maker, dev.client() as client:
        names = [maker.submit("bash", args=["sleep 0.5"]).name for _ in range(4)]
        assert all(client.result(name, BOUND).succeeded for name in names)
        for thread in threading.enumerate():
            if thread.name == "kruntimes-watch":
                thread.join(BOUND / 10)
                assert not thread.is_alive(), "a watch that nobody needs goes on"


def test_a_value_comes_back_as_the_program_left_it(client: kruntimes.Client) -> None:
    script = """echo '{"none": null, "large": 9007199254740993}' > "$KRUNTIMES_RESULT"; exit $1"""
    value = {"none": None, "large": 9007199254740993}
    assert client.run("bash", source=script, args=["0"]).result(BOUND).value == value
    assert client.run("bash", source=script, args=["7"]).result(BOUND, check=False).value == value
    none = client.run("bash", args=["true"]).result(BOUND)
    assert (none.value, none.has_value, none.exception) == (None, False, None)


def test_an_exception_comes_back_with_its_trace(client: kruntimes.Client) -> None:
    source = "def f(text):\n    return [text, int(text)]"
    good = client.run("python", source=source, entrypoint=":f", args=["7"]).result(BOUND)
    assert (good.value, good.exception) == (["7", 7], None)
    with pytest.raises(kruntimes.RunFailed, match="UncaughtException: ValueError: invalid literal") as caught:
        client.run("python", source=source, entrypoint=":f", args=["x"]).result(BOUND)
    result = caught.value.result
    assert (result.exit_code, result.reason, result.has_value) == (1, "UncaughtException", False)
    assert result.exception is not None
    assert (result.exception.type, result.exception.message) == ("ValueError", result.message)
    assert result.exception.trace == result.stderr.text
    assert "line 2, in f" in result.exception.trace


def test_a_giant_exception_and_a_source_that_does_not_load_are_stored_too(client: kruntimes.Client) -> None:
    giant = client.run("python", source="raise ValueError('\u00e9\\udc80' * 10**6)").result(
        BOUND, check=False
    )
    assert giant.exception is not None
    # Half a character is shown as the replacement character: five bytes for each pair, and 4 KiB in all.
    assert giant.exception.message == "\u00e9\ufffd" * (4096 // 5)
    assert len(giant.exception.trace) == 8192
    bad = client.run("python", source="def (", max_attempts=3).result(BOUND, check=False)
    assert (bad.reason, bad.attempt) == ("SourceInvalid", 1)
    assert bad.exception is not None
    assert bad.exception.type == "SyntaxError"


def test_an_exception_is_tried_again_where_the_policy_says_so(client: kruntimes.Client) -> None:
    source = "import os\nif os.environ['KRUNTIMES_ATTEMPT'] == '1': raise OSError\nprint('well')"
    options = RunOptions(source=source, max_attempts=2, retryable_reasons=["UncaughtException"])
    result = client.run("python", **options).result(BOUND)
    assert (result.attempt, result.stdout, result.exception) == (2, b"well\n", None)


def test_the_example_of_a_python_function_does_what_it_says(dev: Dev) -> None:
    environment = {**os.environ, "KUBECONFIG": str(dev.layout.kubeconfig)}
    done = subprocess.run(
        [sys.executable, EXAMPLE], env=environment, capture_output=True, text=True, check=True, timeout=BOUND
    )
    value, exception, *trace = done.stdout.splitlines()
    assert value == "value: {'to': 2, 'be': 2, 'or': 1, 'not': 1}"
    assert exception == "exception: ValueError - there are no words to count"
    assert trace[0] == "Traceback (most recent call last):"


def test_the_receipt_is_whole_and_in_order(client: kruntimes.Client) -> None:
    timings = client.run("bash", args=["true"]).result(BOUND).timings
    stamps = [
        timings.queued,
        timings.assigned,
        timings.delivered,
        timings.started,
        timings.ended,
        timings.stored,
    ]
    assert None not in stamps
    assert stamps == sorted(stamps, key=str)


def test_binary_output_and_files_stay_intact(client: kruntimes.Client) -> None:
    data = bytes(range(256))
    assert client.run("bash", args=["cat x"], files={"x": data}).result(BOUND).stdout == data


BAD_ENDS: dict[str, tuple[RunOptions, type[kruntimes.RunError], str]] = {
    "exit 7": ({"args": ["exit 7"]}, kruntimes.RunFailed, "NonZeroExit"),
    "a signal": ({"args": ["kill -9 $$"]}, kruntimes.RunFailed, "KilledBySignal"),
    "a timeout": ({"args": ["sleep 60"], "timeout": 0.2}, kruntimes.RunTimeout, "TimeLimit"),
    "a missing program": ({"args": ["no-such-program", "x"]}, kruntimes.RunFailed, "MissingProgram"),
}


@pytest.mark.parametrize(("options", "kind", "reason"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_bad_end_is_its_error(
    either: kruntimes.Client, options: RunOptions, kind: type[kruntimes.RunError], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        either.run("bash", **options).result(BOUND)
    assert caught.value.result.reason == reason


def test_a_cancelled_run_ends_soon(either: kruntimes.Client) -> None:
    handle = either.run("bash", args=["sleep 60"])
    eventually(lambda: handle.status().phase == "Running", "it runs")
    handle.cancel()
    with pytest.raises(kruntimes.RunCancelled):
        handle.result(BOUND)


def test_a_rule_that_is_broken_is_named(either: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.Refused) as caught:
        either.submit("bash", args=["true"], timeout="0s")
    assert "spec.timeout" in caught.value.field
    assert "longer than zero" in caught.value.rule


def test_a_name_is_given_once(either: kruntimes.Client) -> None:
    name = f"once-{uuid4().hex[:8]}"
    either.submit("bash", name=name, args=["true"])
    with pytest.raises(kruntimes.Conflict):
        either.submit("bash", name=name, args=["true"])


def test_a_handle_is_picked_up_elsewhere(dev: Dev, client: kruntimes.Client) -> None:
    name = client.submit("bash", args=["sleep 0.3; echo late"]).name
    with dev.client() as other:
        assert other.get(name).result(BOUND).stdout == b"late\n"
        assert [piece.text for piece in other.logs(name)] == ["late\n"]


def test_runs_are_listed_and_deleted(either: kruntimes.Client) -> None:
    handle = either.submit("bash", args=["true"], labels={"mine": "yes"})
    handle.wait(BOUND)
    [found] = either.list(selector="mine=yes", phase="Succeeded")
    assert found.uid == handle.uid
    handle.delete()
    eventually(lambda: not either.list(selector="mine=yes"), "it is gone")
    with pytest.raises(kruntimes.NotFound):
        either.read(handle.name)


def test_a_deleted_run_stops_and_its_waiter_is_told(either: kruntimes.Client) -> None:
    handle = either.run("bash", args=["sleep 60"])
    eventually(lambda: handle.status().phase == "Running", "it runs")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle.wait, BOUND)
        handle.delete()
        with pytest.raises(kruntimes.NotFound, match="deleted"):
            waiting.result()


def test_one_client_serves_many_threads(client: kruntimes.Client) -> None:
    def run(number: int) -> bytes:
        return client.run("bash", args=[f"echo {number}"]).result(BOUND).stdout

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(run, range(64))) == [b"%d\n" % number for number in range(64)]


def test_a_wait_survives_the_death_of_the_api_server(dev: Dev, either: kruntimes.Client) -> None:
    handle = either.run("bash", args=["sleep 2; echo survived"])
    eventually(lambda: handle.status().phase == "Running", "it runs")
    pid = dev.api_server
    os.kill(pid, signal.SIGKILL)
    assert handle.result(BOUND).stdout == b"survived\n"


def test_creating_goes_on_through_the_death_of_the_api_server_and_doubles_nothing(dev: Dev) -> None:
    with kruntimes.Client(from_files([dev.layout.kubeconfig]), patience=BOUND) as client:
        with ThreadPoolExecutor(8) as pool:
            created = [
                pool.submit(client.submit, "bash", args=["true"], labels={"t": "die"}) for _ in range(60)
            ]
            eventually(lambda: sum(item.done() for item in created) > 10, "some are created")
            pid = dev.api_server
            os.kill(pid, signal.SIGKILL)
            names = {item.result().name for item in created}
        assert len(names) == 60
        assert {run.name for run in client.list(selector="t=die")} == names
        assert all(client.get(name).result(BOUND).succeeded for name in names)


def test_nobody_there_is_told_soon_and_with_what_to_do(dev: Dev) -> None:
    access = from_files([dev.layout.kubeconfig])
    nobody = type(access)("https://127.0.0.1:1", ca=access.ca, origin="a test")
    with (
        kruntimes.Client(nobody, patience=0.1) as client,
        pytest.raises(kruntimes.Unreachable, match="krt dev up"),
    ):
        client.list()
