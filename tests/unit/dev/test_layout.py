"""Paths of a data directory; those of sockets are always short enough."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from kruntimes_core.dev.backoff import DELAYS, STEADY_SECONDS, Backoff
from kruntimes_core.dev.defaults import LANGUAGES, NAMES, PoolSize, default_runtime, find_languages, resized
from kruntimes_core.dev.layout import SOCKET_PATH_LIMIT, layout_of

UID = "1afbbe2d-921f-47d5-b36b-e89c37bbe5ad"


def test_sockets_lie_in_the_data_directory_when_its_path_is_short() -> None:
    layout = layout_of(Path("/home/somebody/.local/share/kruntimes/dev"), Path("/tmp"))
    assert layout.volume(UID, "run", memory=True).is_relative_to(layout.data)


def test_sockets_lie_elsewhere_when_its_path_is_long() -> None:
    data = Path("/tmp") / ("long" * 20)
    layout = layout_of(data, Path("/run/user/1000"))
    socket = layout.volume(UID, "kruntimes-run", memory=True) / "runtime.sock"
    assert socket.is_relative_to("/run/user/1000")
    assert len(str(socket)) <= SOCKET_PATH_LIMIT
    assert layout.sockets != layout_of(data / "other", Path("/run/user/1000")).sockets


def test_no_socket_path_is_too_long() -> None:
    for length in range(1, 120):
        layout = layout_of(Path("/" + "d" * length), Path("/tmp"))
        socket = layout.volume(UID, "kruntimes-run", memory=True) / "runtime.sock"
        assert len(str(socket)) <= SOCKET_PATH_LIMIT


def test_volumes_on_disk_lie_with_their_pod() -> None:
    layout = layout_of(Path("/d"), Path("/tmp"))
    assert layout.volume(UID, "ws", memory=False) == Path("/d/pods") / UID / "volumes" / "ws"


def test_a_program_that_keeps_ending_waits_longer_and_a_steady_one_starts_anew() -> None:
    backoff, seen = Backoff(), []
    for _ in range(len(DELAYS) + 2):
        backoff = backoff.after(0.1)
        seen.append(backoff.delay)
    assert seen == [*DELAYS, DELAYS[-1], DELAYS[-1]]
    assert backoff.after(STEADY_SECONDS).delay == 0.0


def test_a_default_runtime_has_the_wanted_size() -> None:
    spec = default_runtime("python", PoolSize(replicas=2, slots=3))["spec"]
    assert (spec["replicas"], spec["capacity"]["resources"]) == (2, {"runs": 3})


@pytest.mark.parametrize("name", NAMES)
def test_the_server_of_a_default_runtime_exists(name: str) -> None:
    runtime = default_runtime(name, PoolSize())
    *_, module = runtime["spec"]["template"]["spec"]["containers"][0]["command"]
    assert runtime["metadata"]["name"] == name
    assert find_spec(f"{module}.__main__") is not None


def test_a_language_without_its_toolchain_is_left_out_and_named_with_what_gets_it() -> None:
    assert find_languages(NAMES, lambda _: True) == (list(NAMES), [])
    found, [sentence] = find_languages(NAMES, lambda program: program != "bash")
    assert found == [name for name in NAMES if name != "bash"]
    assert LANGUAGES[0].install in sentence


def test_only_the_languages_that_were_named_are_served() -> None:
    assert find_languages(["python"], lambda _: True) == (["python"], [])
    assert find_languages([], lambda _: False) == ([], [])


def test_only_what_was_asked_for_is_changed() -> None:
    assert resized(PoolSize()) == {}
    assert resized(PoolSize(replicas=0)) == {"spec": {"replicas": 0}}
    assert resized(PoolSize(slots=8)) == {"spec": {"capacity": {"resources": {"runs": 8}}}}
