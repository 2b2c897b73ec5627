"""Tasks on the whole path: functions that run in a pool of the server python, sent by both clients."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kruntimes
import pytest
from kruntimes.kubeconfig import from_files

from tests.integration.dev_process import Dev, dev_in, eventually, krt
from tests.unit.sdk.bridge import bridged_on, on

pytestmark = pytest.mark.integration

BOUND = 60.0
ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "sdk.md"
EXAMPLE = ROOT / "examples" / "04-map" / "primes.py"


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as home, dev_in(Path(home) / "data") as dev:
        krt("dev", "up", "--detach", "--data", str(dev.layout.data), "--slots", "8")
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
def client(request: pytest.FixtureRequest, dev: Dev) -> Iterator[kruntimes.Client]:
    with request.param(dev) as client:
        yield client


@kruntimes.task(timeout=30)
def square(x: int) -> int:
    if x == 13:
        raise ValueError("unlucky")
    return x * x


@kruntimes.task()
def length(data: bytes) -> int:
    return len(data)


@kruntimes.task()
def ask_again() -> Any:
    return square.remote(1).result()


@kruntimes.task()
def leave() -> None:
    sys.exit(0)


@kruntimes.task()
def sleep(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


def test_a_task_gives_its_value(client: kruntimes.Client) -> None:
    assert on(client, square).remote(7).result(BOUND) == 49


def test_what_it_raises_is_raised_here_with_its_trace(client: kruntimes.Client) -> None:
    with pytest.raises(ValueError, match="UncaughtException: ValueError: unlucky") as caught:
        on(client, square).remote(13).result(BOUND)
    assert isinstance(caught.value, kruntimes.TaskFailed)
    assert caught.value.exception.message == "unlucky"
    assert 'raise ValueError("unlucky")' in str(caught.value)


def test_a_map_gives_all_values_in_order(client: kruntimes.Client) -> None:
    assert list(on(client, square).map(range(100, 130))) == [x * x for x in range(100, 130)]


def test_almost_as_much_as_may_travel_does(client: kruntimes.Client) -> None:
    data = os.urandom(1_000_000)
    assert on(client, length).remote(data).result(BOUND) == len(data)


def test_leaving_a_map_ends_its_runs(dev: Dev, client: kruntimes.Client) -> None:
    labelled = sleep.options(labels={"map": "left"})
    values = iter(on(client, labelled).map([0, 60, 60, 60], as_completed=True))
    assert next(values) == 0
    values.close()  # type: ignore[attr-defined]
    with dev.client() as looking:

        def phases() -> set[str]:
            return {run.phase for run in looking.list(selector="map=left")}

        eventually(lambda: phases() <= {"Succeeded", "Cancelled"}, "all have ended")


def test_a_run_inside_a_run_is_refused_in_words(client: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.TaskFailed, match=r"called inside a Run.*call square\(\.\.\.\) itself"):
        on(client, ask_again).remote().result(BOUND)


def test_a_task_that_leaves_early_gives_no_value(client: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.RunFailed, match="ended without a value"):
        on(client, leave).remote().result(BOUND)


def test_a_runtime_of_another_server_is_told(client: kruntimes.Client) -> None:
    with pytest.raises(kruntimes.RunFailed, match="Bash cannot read the source"):
        on(client, square.options(runtime="bash")).remote(1).result(BOUND)
    with pytest.raises(kruntimes.NotFound, match=r"no Runtime 'pyton' .*it has: bash, python"):
        on(client, square.options(runtime="pyton")).remote(1)


def test_another_process_picks_a_call_up(dev: Dev, client: kruntimes.Client) -> None:
    handle = on(client, sleep).remote(0.3)
    code = (
        "import json, sys, kruntimes\n"
        "with kruntimes.Client() as client:\n"
        "    print(client.get(**json.loads(sys.argv[1])).result(60).value)"
    )
    assert run_script(dev, "-c", code, json.dumps(handle.run.reference)) == "0.3\n"


def test_another_run_of_that_name_is_not_cancelled(client: kruntimes.Client) -> None:
    handle = on(client, sleep).remote(0.5).run
    with pytest.raises(kruntimes.Conflict):
        client.cancel(handle.name, uid="another")
    assert handle.result(BOUND).succeeded


def run_script(dev: Dev, *argv: str) -> str:
    """Run a program as a person would; gives what it printed."""
    environment = {**os.environ, "KUBECONFIG": str(dev.layout.kubeconfig)}
    done = subprocess.run(
        [sys.executable, *argv], env=environment, capture_output=True, text=True, timeout=2 * BOUND
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_guide_prints_what_it_says_it_prints(dev: Dev, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    script = tmp_path / "guide.py"
    script.write_text("\n".join(blocks))
    want = re.findall(r"^ *print\(.*\)  # (.+)$", script.read_text(), re.MULTILINE)
    assert run_script(dev, str(script)).splitlines() == want
    assert script.read_text().count("print(") == len(want)


def test_the_example_of_a_map_counts_all_primes(dev: Dev) -> None:
    assert run_script(dev, str(EXAMPLE), "--ranges", "20") == "283146 primes below 4000000\n"
