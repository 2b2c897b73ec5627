"""Children of the dev process end when told, all of them, and when nobody is left to tell them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kruntimes_core.dev import proc
from kruntimes_core.dev.containers import ContainerLife, Place
from kruntimes_core.dev.isolation import find_wrapper
from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.leftovers import sweep_processes
from kruntimes_core.dev.logfiles import put_aside
from kruntimes_core.dev.podspec import Container, Role
from kruntimes_core.dev.podstatus import Ended, Running
from kruntimes_core.dev.processes import Command, Process, Spawner
from kruntimes_core.dev.volumes import make_private, remove_tree
from tests.integration.dev_process import eventually

pytestmark = pytest.mark.integration

FOREVER = "while :; do sleep 0.05; done"
BOUND = 30.0


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="krt-test-") as name:
        yield Path(name)


class Children:
    """Starts commands, and knows what of them is left."""

    def __init__(self, home: Path, wrapper: tuple[str, ...] = ()) -> None:
        self.home, self.wrapper = home, wrapper
        self.records = home / "processes"
        self.spawner = Spawner(self.records)

    def spawn(self, script: str) -> Process:
        env = {"PATH": os.environ["PATH"], "KRUNTIMES_TEST": f"{self.home}/x"}
        argv = ("bash", "-c", script)
        return self.spawner.spawn(
            Command("test", argv, env, self.home, self.home / "log", wrapper=self.wrapper)
        )

    def left(self) -> list[int]:
        return proc.marked(self.home)

    def log(self) -> str:
        return (self.home / "log").read_text()


@pytest.fixture(params=["namespaced", "plain"])
def children(request: pytest.FixtureRequest, home: Path) -> Children:
    return Children(home, find_wrapper() if request.param == "namespaced" else ())


async def until_logged(children: Children, text: str) -> None:
    async with asyncio.timeout(BOUND):
        while text not in children.log():
            await asyncio.sleep(0.01)


async def test_a_program_ends_with_its_code(children: Children) -> None:
    assert await children.spawn("exit 7").wait() == 7
    assert children.left() == []


async def test_a_polite_stop_is_heard(children: Children) -> None:
    process = children.spawn(f'trap "echo bye; exit 5" TERM; echo up; {FOREVER}')
    await until_logged(children, "up")
    assert await process.stop(BOUND) == 5
    assert "bye" in children.log()


async def test_who_does_not_listen_is_killed_with_all_children(children: Children) -> None:
    process = children.spawn(f'trap "" TERM; (trap "" TERM; sleep 1000) & echo up; {FOREVER}')
    await until_logged(children, "up")
    assert await process.stop(0.2) is not None
    eventually(lambda: children.left() == [], "nothing is left", 5)


async def test_a_signal_to_what_has_ended_is_nothing(children: Children) -> None:
    process = children.spawn("exit 0")
    await process.wait()
    process.signal(signal.SIGTERM)
    process.kill()
    assert await process.stop(1) == 0


PARENT = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_dev_processes import Children
async def main():
    children = Children(Path(sys.argv[1]), tuple(sys.argv[2:]))
    children.spawn("setsid sleep 1000 & sleep 1000")
    print("up", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_a_killed_parent_takes_its_children_along(home: Path) -> None:
    # Without a PID namespace, what changed its session is left to the next sweep.
    children = Children(home, find_wrapper())
    command = [sys.executable, "-c", PARENT, str(children.home), *children.wrapper]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        eventually(lambda: len(children.left()) >= 3, "the children run")
        parent.kill()
    eventually(lambda: children.left() == [], "nothing is left", 10)


def test_a_sweep_finds_what_is_recorded_and_what_is_marked(home: Path) -> None:
    layout = Layout(home, home / "run")
    mark = {"KRUNTIMES_WORKSPACES": str(layout.pods / "uid" / "volumes" / "w")}
    with (
        subprocess.Popen(["sleep", "1000"]) as recorded,
        subprocess.Popen(["sleep", "1000"], env={**os.environ, **mark}) as marked,
        subprocess.Popen(["sleep", "1000"], env={**os.environ, "PWD": str(layout.pods)}) as foreign,
    ):
        proc.append_record(layout.records, recorded.pid, "recorded")
        with layout.records.open("a") as records:
            another = {"pid": foreign.pid, "start": 1, "name": "another that had this pid"}
            records.write(json.dumps(another) + '\n{"cut')
        assert sweep_processes(layout) == sorted([recorded.pid, marked.pid])
        assert [recorded.wait(), marked.wait(), foreign.poll()] == [-9, -9, None]
        foreign.kill()
    assert not layout.records.exists()


def test_a_process_is_known_by_pid_and_start_time() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        started = proc.start_time(process.pid)
        assert started == proc.start_time(process.pid)
        process.kill()
    assert proc.start_time(process.pid) is None
    assert started is not None


def make(script: str, **more: object) -> Container:
    values: dict[str, object] = {
        "name": "c",
        "image": "",
        "role": Role.MAIN,
        "argv": ("bash", "-c", script),
        "env": {"PATH": os.environ["PATH"]},
        "work_dir": None,
        "restart": "Always",
        "startup": None,
        "readiness": None,
        "liveness": None,
        "pre_stop": (),
    }
    return Container(**{**values, **more})  # type: ignore[arg-type]


@asynccontextmanager
async def living(container: Container, home: Path) -> AsyncIterator[ContainerLife]:
    place = Place(home, home / "log", (), {"KRUNTIMES_TEST": f"{home}/x"}, lambda: datetime.now(UTC))
    place.log.touch()
    life = ContainerLife(container, place, Spawner(home / "processes"), lambda: None)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(life.run())
        yield life
        await life.stop(1)
        async with asyncio.timeout(BOUND):
            await task


async def test_a_container_is_started_again_until_it_is_stopped(home: Path) -> None:
    async with living(make("echo turn; exit 1"), home) as life:
        async with asyncio.timeout(BOUND):
            while life.state.restarts < 2:
                await asyncio.sleep(0.01)
    assert isinstance(life.state.now, Ended) or life.state.last is not None
    assert (home / "log").read_text().count("turn") >= 2
    assert proc.marked(home) == []


async def test_a_hook_runs_once_before_the_stop(home: Path) -> None:
    container = make(f'trap "echo asked; exit 0" TERM; echo up; {FOREVER}', pre_stop=("echo", "hook"))
    async with living(container, home) as life:
        async with asyncio.timeout(BOUND):
            while "up" not in (home / "log").read_text():
                await asyncio.sleep(0.01)
        await asyncio.gather(life.pre_stop(BOUND), life.pre_stop(BOUND))
    assert (home / "log").read_text().split() == ["up", "hook", "asked"]


async def test_a_container_stopped_while_it_waits_is_not_started(home: Path) -> None:
    async with living(make("exit 1"), home) as life:
        async with asyncio.timeout(BOUND):
            while life.state.restarts < 1 or isinstance(life.state.now, Running):
                await asyncio.sleep(0.01)
    assert life.done.is_set()
    assert not isinstance(life.state.now, Running)


def test_a_directory_of_somebody_else_is_not_used(home: Path) -> None:
    (home / "link").symlink_to("/tmp")
    with pytest.raises(PermissionError):
        make_private(home / "link")


def test_a_log_that_grew_too_long_begins_anew_under_its_writer(home: Path) -> None:
    path = home / "log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"old" * 100)
        put_aside(path, 1000)
        assert path.stat().st_size == 300
        put_aside(path, 100)
        writer.write(b"new")
    assert path.read_bytes() == b"new"
    assert (home / "log.1").read_bytes() == b"old" * 100


def test_a_tree_goes_whatever_a_run_has_made_of_it(home: Path) -> None:
    tree = home / "tree"
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "closed" / "file").write_text("x")
    (tree / "link").symlink_to(home)
    (tree / "closed").chmod(0)
    remove_tree(tree)
    remove_tree(tree)
    assert home.exists()
    assert not tree.exists()
