"""Tasks over a cluster in memory, by both clients: what travels, what comes back, and what a map holds to."""

import contextlib
import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import kruntimes
import pytest
from kruntimes import testing
from kruntimes._progress import Bar, draw
from kruntimes.testing import NEVER, Outcome

from tests.unit.sdk.bridge import bridged_on, on

BOUND = 20


@contextmanager
def threaded_on(cluster: testing.Cluster) -> Iterator[kruntimes.Client]:
    with cluster.client() as client:
        yield client


@contextmanager
def looped_on(cluster: testing.Cluster) -> Iterator[kruntimes.Client]:
    with bridged_on(cluster.async_client) as client:
        yield client


@pytest.fixture
def cluster() -> testing.Cluster:
    return testing.Cluster()


@pytest.fixture(params=[threaded_on, looped_on], ids=["threads", "loop"])
def client(request: pytest.FixtureRequest, cluster: testing.Cluster) -> Iterator[kruntimes.Client]:
    with request.param(cluster) as client:
        yield client


FACTOR = 2


@dataclass
class Point:
    x: int
    y: int


@kruntimes.task(cpu="500m", memory="128Mi", timeout=10, retries=1)
def double(x: int) -> int:
    return FACTOR * x


@kruntimes.task()
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@kruntimes.task()
def flip(point: Point) -> tuple[int, int]:
    return point.y, point.x


@kruntimes.task()
def fail_on_13(x: int) -> int:
    if x == 13:
        raise ValueError("unlucky")
    return x


@kruntimes.task()
def give(value: Any) -> Any:
    return value


class Scale:
    def __init__(self, by: int) -> None:
        self.by = by

    @kruntimes.task()
    def apply(self, x: int) -> int:
        return self.by * x


def test_a_task_is_still_a_function() -> None:
    assert double(4) == 8
    assert getattr(double, "__name__", "") == "double"
    assert Scale(3).apply(4) == 12


def test_a_task_runs_as_a_run_with_its_options(client: kruntimes.Client, cluster: testing.Cluster) -> None:
    assert on(client, double).remote(7).result(BOUND) == 14
    [run] = cluster.runs
    spec = run.object["spec"]
    assert spec["resources"] == {"limits": {"cpu": "500m", "memory": "128Mi"}}
    assert (spec["timeout"], spec["retryPolicy"]) == ("10s", {"maxAttempts": 2})
    assert spec["mode"]["task"]["args"][0] == "double"


def test_a_task_may_call_itself_and_take_objects_of_its_module(client: kruntimes.Client) -> None:
    assert on(client, fibonacci).remote(10).result(BOUND) == 55
    assert on(client, flip).remote(Point(1, 2)).result(BOUND) == [2, 1]


def test_a_method_takes_its_object_along(client: kruntimes.Client) -> None:
    bound: Any = Scale(3).apply
    assert on(client, bound).remote(5).result(BOUND) == 15


def test_what_it_raises_is_raised_here_as_itself_too(client: kruntimes.Client) -> None:
    with pytest.raises(ValueError, match="ValueError: unlucky") as caught:
        on(client, fail_on_13).remote(13).result(BOUND)
    error = caught.value
    assert isinstance(error, kruntimes.TaskFailed)
    assert (error.exception.type, error.exception.message) == ("ValueError", "unlucky")
    assert 'raise ValueError("unlucky")' in str(error)
    assert "testing.py" not in str(error)


VALUES = [None, True, 3, 2.5, "text", "ümlaut", [1, [2]], {"a": {"b": None}}, 1 << 80]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_json_comes_back_as_it_is(cluster: testing.Cluster, value: Any) -> None:
    with cluster.client() as client:
        assert give.on(client).remote(value).result(BOUND) == value


LOOP: list[Any] = []
LOOP.append(LOOP)
REFUSED = {
    "a set": ({1}, "give returned a value of type set. A value travels back as JSON"),
    "deep inside": ({"a": [1, {2}]}, r"type set at value\['a'\]\[1\]"),
    "not a number": (float("nan"), "nan, which is no number in JSON"),
    "a key": ({1: 2}, "a dict with the key 1, which is no str"),
    "bytes": (b"x", "type bytes"),
    "half a character": ("\ud800", "half a character"),
    "a loop": (LOOP, "nested too deep, or holds itself"),
    "too much": ("x" * 20000, "20,002 bytes of JSON, and at most 16,384"),
}


@pytest.mark.parametrize(("value", "words"), REFUSED.values(), ids=REFUSED)
def test_a_value_that_cannot_come_back_is_told(cluster: testing.Cluster, value: Any, words: str) -> None:
    with cluster.client() as client, pytest.raises(kruntimes.TaskFailed, match=words):
        give.on(client).remote(value).result(BOUND)


def no_such_argument(cluster: testing.Cluster) -> object:
    return double.remote(1, 2)  # type: ignore[call-arg]


def a_lock(cluster: testing.Cluster) -> object:
    return give.remote(threading.Lock())


def too_much(cluster: testing.Cluster) -> object:
    return give.remote(os.urandom(1 << 20))


def a_generator(cluster: testing.Cluster) -> object:
    def count() -> Iterator[int]:
        yield 1

    return kruntimes.task()(count)


def a_coroutine(cluster: testing.Cluster) -> object:
    async def wait() -> None: ...

    return kruntimes.task()(wait)


def no_parentheses(cluster: testing.Cluster) -> object:
    return kruntimes.task(lambda: 1)  # type: ignore[arg-type]


def an_odd_option(cluster: testing.Cluster) -> object:
    return kruntimes.task(timout=3)  # type: ignore[call-arg]


def an_odd_runtime(cluster: testing.Cluster) -> object:
    return double.options(runtime="pyton").remote(1)


def no_items(cluster: testing.Cluster) -> object:
    return double.map(7)  # type: ignore[arg-type]


def no_flight(cluster: testing.Cluster) -> object:
    return double.map([1], in_flight=0)


def an_odd_map(cluster: testing.Cluster) -> object:
    return double.map([1], workers=3)  # type: ignore[call-arg]


def no_value(cluster: testing.Cluster) -> object:
    cluster.script("bash", Outcome())
    return double.options(runtime="bash").remote(1).result(BOUND)


def no_script(cluster: testing.Cluster) -> object:
    return cluster.client().run("bash", source="echo")


def an_odd_file(cluster: testing.Cluster) -> object:
    return cluster.client().run("python", files={"x": 3})  # type: ignore[dict-item]


WRONG: dict[Callable[[testing.Cluster], object], tuple[type[Exception], str]] = {
    no_such_argument: (TypeError, "double: too many positional arguments"),
    a_lock: (kruntimes.CannotSend, "the arguments of give cannot be pickled: .*lock"),
    too_much: (kruntimes.CannotSend, "a Run carries at most 1,048,576"),
    a_generator: (TypeError, "have it return a list"),
    a_coroutine: (TypeError, "asyncio.run"),
    no_parentheses: (TypeError, "with parentheses"),
    an_odd_option: (TypeError, "no option 'timout'; it has backoff, cpu"),
    an_odd_runtime: (kruntimes.NotFound, "no Runtime 'pyton' in namespace 'default'; it has: python"),
    no_items: (TypeError, "int is not"),
    no_flight: (ValueError, "in_flight must be at least 1, not 0"),
    an_odd_map: (TypeError, "map has no option 'workers'; it has as_completed"),
    no_value: (kruntimes.RunFailed, "not one of the server `python`"),
    an_odd_file: (TypeError, "the file 'x' is given as int; it takes text or bytes"),
    no_script: (LookupError, 'cluster.script\\("bash"'),
}


@pytest.mark.parametrize(("do", "kind", "words"), [(do, *told) for do, told in WRONG.items()])
def test_what_is_wrong_is_told_in_words(
    cluster: testing.Cluster, do: Callable[[testing.Cluster], object], kind: type[Exception], words: str
) -> None:
    with cluster.client() as client, kruntimes.use(client), pytest.raises(kind, match=words) as caught:
        do(cluster)
    assert len(str(caught.value)) < 400


def test_a_task_calls_nobody_from_within_a_run(
    cluster: testing.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRUNTIMES_RUN_UID", "u")
    with (
        cluster.client() as client,
        pytest.raises(kruntimes.KruntimesError, match=r"inside a Run.*call double\(\.\.\.\)"),
    ):
        double.on(client).remote(1)


def test_another_python_is_told_apart() -> None:
    from kruntimes import _program

    with pytest.raises(_program.CannotLoad, match=r"sent by Python 2\.7 .* use a Runtime with 2\.7"):
        _program.call("double", "2.7", b"", b"")


def test_a_module_that_is_not_there_is_named() -> None:
    from kruntimes import _program

    missing = b"cno_such_module\nname\n."
    with pytest.raises(_program.CannotLoad, match="needs the module 'no_such_module'"):
        _program.call("double", "{}.{}".format(*__import__("sys").version_info), missing, missing)


def test_a_map_gives_values_in_order(client: kruntimes.Client) -> None:
    assert list(on(client, double).map(range(100), in_flight=7)) == [2 * x for x in range(100)]


def test_a_map_as_completed_gives_each_once(client: kruntimes.Client) -> None:
    assert sorted(on(client, double).map(range(100), as_completed=True)) == [2 * x for x in range(100)]


def test_a_map_takes_its_items_as_it_needs_them(client: kruntimes.Client) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    values = iter(on(client, double).map(items(), in_flight=5))
    assert [next(values) for _ in range(3)] == [0, 2, 4]
    assert len(taken) <= 3 + 5
    values.close()  # type: ignore[attr-defined]


def test_leaving_a_map_cancels_what_is_under_way(client: kruntimes.Client, cluster: testing.Cluster) -> None:
    cluster.script("python", NEVER, NEVER, NEVER, Outcome(result="1"), NEVER)
    values = iter(on(client, double).map(range(100), in_flight=4, as_completed=True))
    assert next(values) == 1
    values.close()  # type: ignore[attr-defined]
    assert sorted(run.phase for run in cluster.runs) == ["Cancelled", "Cancelled", "Cancelled", "Succeeded"]


def test_a_failure_ends_a_map_and_cancels_what_is_under_way(
    client: kruntimes.Client, cluster: testing.Cluster
) -> None:
    cluster.script("python", NEVER, NEVER, NEVER, Outcome(exit_code=3), NEVER)
    with pytest.raises(kruntimes.RunFailed, match="exit code 3"):
        list(on(client, double).map(range(100), in_flight=4, as_completed=True))
    assert sorted(run.phase for run in cluster.runs) == ["Cancelled", "Cancelled", "Cancelled", "Failed"]


def test_a_map_may_hand_failures_over(client: kruntimes.Client) -> None:
    given = list(on(client, fail_on_13).map([12, 13, 14], return_exceptions=True))
    assert [given[0], given[2]] == [12, 14]
    assert isinstance(given[1], ValueError)


def test_an_argument_that_cannot_travel_fails_its_item(client: kruntimes.Client) -> None:
    given = list(on(client, give).map([1, threading.Lock()], return_exceptions=True))
    assert given[0] == 1
    assert isinstance(given[1], kruntimes.CannotSend)


def test_an_input_that_breaks_breaks_the_map(client: kruntimes.Client) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(on(client, double).map(items()))


def test_a_map_reports_how_far_it_is(client: kruntimes.Client) -> None:
    seen: list[kruntimes.Progress] = []
    list(on(client, fail_on_13).map([1, 13, 2], progress=seen.append, return_exceptions=True))
    assert [item.done for item in seen] == [1, 2, 3]
    assert (seen[-1].total, seen[-1].failed, seen[-1].in_flight) == (3, 1, 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_terminals_only() -> None:
    half, whole = kruntimes.Progress(4, 2, 1, 2), kruntimes.Progress(4, 4, 1, 0)
    assert draw(half) == "[###############...............] 2/4, 1 failed"
    assert draw(kruntimes.Progress(None, 2, 0, 2)) == "2 done, 2 in flight"
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        bar = Bar(stream)
        bar(half)
        bar(whole)
    assert terminal.getvalue().endswith("4/4, 1 failed\033[K\n")
    assert file.getvalue() == ""


def test_every_error_survives_a_pickle(cluster: testing.Cluster) -> None:
    with cluster.client() as client:
        with contextlib.suppress(ValueError):
            fail_on_13.on(client).remote(13).result(BOUND)
        [run] = cluster.runs
        with pytest.raises(kruntimes.TaskFailed) as caught:
            client.result(run.name)
    refused = kruntimes.Refused("no", 422, "Invalid", rule="r", field="f")
    again = pickle.loads(pickle.dumps([caught.value, refused]))
    assert isinstance(again[0], ValueError)
    assert isinstance(again[0], kruntimes.TaskFailed)
    assert (str(again[0]), again[0].exception) == (str(caught.value), caught.value.exception)
    assert (again[1].rule, again[1].field, again[1].status) == ("r", "f", 422)


@pytest.mark.parametrize(
    "name", ["KeyError", "OSError", "SyntaxError", "UnicodeDecodeError", "StopIteration", "m.Mine"]
)
def test_an_exception_of_any_kind_can_be_raised_here(cluster: testing.Cluster, name: str) -> None:
    cluster.script("bash", Outcome(message="told", exception={"type": name, "trace": "Trace"}))
    with cluster.client() as client, pytest.raises(kruntimes.TaskFailed, match="told") as caught:
        client.run("bash").result(BOUND)
    assert str(caught.value).endswith("Trace")


def test_a_run_that_left_early_has_no_value(cluster: testing.Cluster) -> None:
    cluster.script("python", Outcome())
    with cluster.client() as client, pytest.raises(kruntimes.RunFailed, match=r"as by sys\.exit"):
        double.on(client).remote(1).result(BOUND)
