"""Hostile Runs of the bash server: nothing of a Run outlives it, whatever it forks or ignores."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from google.protobuf.duration_pb2 import Duration
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.bash_server import (
    BashServer,
    bash_server,
    marked,
    nobody,
    own_directory,
    parent,
    tail,
    zombies,
)
from tests.runtime_client import eventually

pytestmark = pytest.mark.integration

SUCCEEDED = pb.RUN_STATE_SUCCEEDED
# A daemon by the book: a session of its own, forked twice, deaf to everything that can be ignored.
DAEMON = """
(trap '' TERM HUP INT; setsid bash -c 'echo $BASHPID > daemon; trap "" TERM; while :; do sleep 0.1; done' &)
until [[ -s daemon ]]; do sleep 0.01; done
"""
FORKS = """
forks() { while :; do (sleep 0.01; setsid sleep 1000 & sleep 0.01) & wait -n; done; }
forks & forks & forks &
echo begun > begun
wait
"""


@pytest.fixture
async def server() -> AsyncIterator[BashServer]:
    with own_directory() as directory:
        async with bash_server(directory) as server:
            yield server


async def left_nothing(server: BashServer) -> None:
    """No process, no zombie, no workspace, at the moment of the terminal snapshot."""
    assert marked(server.mark) == []
    assert server.state() == []
    assert [zombies(pid) for pid in (server.process.pid, *server.slots())] == [[]] * (1 + len(server.slots()))


async def test_a_daemon_does_not_outlive_its_run(server: BashServer) -> None:
    run = await server.run(DAEMON + "echo done")
    assert (run.state, tail(run)) == (SUCCEEDED, b"done\n")
    await left_nothing(server)


async def test_a_child_that_holds_the_output_does_not_hold_up_the_end(server: BashServer) -> None:
    run = await server.run("sleep 1000 & (setsid sleep 1000 &) ; echo done")
    assert (run.state, tail(run)) == (SUCCEEDED, b"done\n")
    await left_nothing(server)


async def test_a_thousand_sleeping_children_end_with_their_run(server: BashServer) -> None:
    run = await server.run("for i in {1..1000}; do sleep 1000 & done; echo done")
    assert (run.state, tail(run)) == (SUCCEEDED, b"done\n")
    await left_nothing(server)


async def test_orphans_that_end_are_reaped_while_the_run_goes_on(server: BashServer) -> None:
    await server.start("for i in {1..50}; do (sleep 0.01 &) ; done; echo > forked; exec sleep 1000")
    await server.wait_for("u", "forked")

    async def settled() -> bool | None:
        return True if len(marked(server.mark)) == 1 and not any(map(zombies, server.slots())) else None

    await eventually(settled)
    await server.client.forget(stop=True)
    await left_nothing(server)


async def test_what_forks_without_end_is_ended_by_its_time_limit(server: BashServer) -> None:
    run = await server.run(FORKS, execution_timeout=Duration(nanos=500_000_000), termination_grace=Duration())
    assert (run.state, run.result.error.reason) == (pb.RUN_STATE_TIMED_OUT, "TIME_LIMIT")
    await left_nothing(server)


async def test_the_polite_stop_reaches_every_process(server: BashServer) -> None:
    child = "trap 'echo $1 stopped; exit 0' TERM; echo > ready-$1; while :; do sleep 0.05; done"
    text = "(bash child one &); setsid bash child two & bash child three & trap 'wait; exit 0' TERM; wait"
    await server.start(files={"source": text, "child": child})
    for name in ("one", "two", "three"):
        await server.wait_for("u", f"ready-{name}")
    await server.client.cancel(grace=20.0)
    run = await server.client.ended()
    assert run.state == pb.RUN_STATE_CANCELLED
    assert sorted(tail(run).split(b"\n")) == [b"", b"one stopped", b"three stopped", b"two stopped"]
    await left_nothing(server)


async def test_a_wrapper_that_goes_first_does_not_cut_the_grace_of_its_child(server: BashServer) -> None:
    child = "trap 'sleep 0.3; echo saved; exit 0' TERM; echo > ready; while :; do sleep 0.05; done"
    await server.start(files={"source": "bash child & wait", "child": child})
    await server.wait_for("u", "ready")
    await server.client.cancel(grace=20.0)
    run = await server.client.ended()
    # The wrapper had no trap: it was gone at once, and the child's last words are there all the same.
    assert (run.state, run.result.exit.signal, tail(run)) == (
        pb.RUN_STATE_CANCELLED,
        signal.SIGTERM,
        b"saved\n",
    )
    await left_nothing(server)


async def test_who_ignores_the_polite_stop_is_killed_after_the_grace(server: BashServer) -> None:
    await server.start("trap '' TERM; echo > ready; while :; do sleep 0.05; done")
    await server.wait_for("u", "ready")
    await server.client.cancel(grace=0.3)
    run = await server.client.ended()
    assert (run.state, run.result.exit.signal) == (pb.RUN_STATE_CANCELLED, signal.SIGKILL)
    await left_nothing(server)


async def test_who_stopped_itself_hears_the_polite_stop(server: BashServer) -> None:
    await server.start(
        "trap 'echo heard; exit 3' TERM; echo > ready; kill -STOP $$; while :; do sleep 0.05; done"
    )
    await server.wait_for("u", "ready")
    await server.client.cancel(grace=20.0)
    run = await server.client.ended()
    assert (run.state, run.result.exit.code, tail(run)) == (pb.RUN_STATE_CANCELLED, 3, b"heard\n")


async def test_a_program_that_ended_before_the_stop_reached_it_keeps_its_end(server: BashServer) -> None:
    await server.start("echo $PPID > slot; until [[ -e go ]]; do sleep 0.01; done")
    slot = int(await server.wait_for("u", "slot"))
    os.kill(slot, signal.SIGSTOP)
    (server.workspaces / "u-1" / "go").touch()

    async def over() -> bool | None:
        return None if marked(server.mark) else True

    await eventually(over)
    await server.client.cancel(grace=20.0)
    os.kill(slot, signal.SIGCONT)
    assert (await server.client.ended()).state == SUCCEEDED


async def test_a_slot_that_is_killed_loses_its_run_and_nothing_else(server: BashServer) -> None:
    await server.start("echo > begun; exec sleep 1000", uid="neighbour")
    await server.wait_for("neighbour", "begun")
    await server.start(DAEMON + "echo $PPID > slot; wait; sleep 1000")
    slot = int(await server.wait_for("u", "slot"))
    assert parent(slot) == server.process.pid
    os.kill(slot, signal.SIGKILL)
    run = await server.client.ended()
    error = run.result.error
    assert (run.state, error.kind) == (pb.RUN_STATE_FAILED, pb.ERROR_KIND_INFRASTRUCTURE)
    assert (error.reason, error.retry) == ("SLOT_LOST", pb.RETRY_ADVICE_RETRY)
    assert [path for path in server.state() if path != "neighbour-1"] == []
    assert len(marked(server.mark)) == 1
    assert (await server.client.get("neighbour")).state == pb.RUN_STATE_RUNNING
    after = await asyncio.gather(*(server.run("echo ok", uid=f"a{n}") for n in range(3)))
    assert [tail(one) for one in after] == [b"ok\n"] * 3
    await server.client.forget("neighbour", stop=True)
    await left_nothing(server)


async def test_a_slot_that_is_frozen_is_replaced_when_its_run_is_to_end(server: BashServer) -> None:
    await server.start("kill -STOP $PPID; echo > frozen; exec sleep 1000")
    await server.wait_for("u", "frozen")
    await server.client.cancel(grace=0.0)
    run = await server.client.ended()
    assert run.state == pb.RUN_STATE_CANCELLED
    await left_nothing(server)


async def test_nothing_survives_a_server_that_is_killed(server: BashServer) -> None:
    for number in range(3):
        await server.start(DAEMON + "echo > begun; exec sleep 1000", uid=f"u{number}")
        await server.wait_for(f"u{number}", "begun")
    server.process.kill()
    server.process.wait()
    await nobody(server.mark)

    async def cleared() -> bool | None:
        return None if server.state() or any(server.workspaces.glob(".server/slot-*")) else True

    await eventually(cleared)


async def test_a_server_started_anew_ends_what_was_left_when_slots_died_with_their_server() -> None:
    with own_directory() as directory:
        async with bash_server(directory) as old:
            await old.start(DAEMON + "echo > begun; exec sleep 1000")
            await old.wait_for("u", "begun")
            # Stopped first, so that no slot sees its server go.
            everyone = [old.process.pid, *old.slots()]
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in everyone:
                    os.kill(pid, number)
            old.process.wait()
            assert marked(old.mark), "the daemon outlives them, or there is nothing to show"
            assert old.state() == ["u-1"]
            async with bash_server(directory) as new:
                assert marked(old.mark) == []
                assert new.state() == []
                assert (await new.run("true", uid="v")).state == SUCCEEDED


async def test_a_second_server_on_the_same_directory_does_not_touch_the_first(server: BashServer) -> None:
    await server.start("echo > begun; exec sleep 1000")
    await server.wait_for("u", "begun")
    environment = {**os.environ, "KRUNTIMES_WORKSPACES": str(server.workspaces)}
    environment["KRUNTIMES_ENDPOINT"] = f"unix:{server.directory}/other.sock"
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime_servers.bash", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(second.communicate(), 20)
    assert (second.returncode, b"another server keeps its slots" in said) == (1, True)
    assert (await server.client.get()).state == pb.RUN_STATE_RUNNING
    await server.client.forget(stop=True)


async def test_a_server_as_process_1_reaps_strangers_and_takes_all_with_it() -> None:
    with own_directory() as directory:
        wrapper = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "--")
        async with bash_server(directory, wrapper=wrapper) as server:
            inside = server.inside()
            assert (await server.run(DAEMON + "echo done")).state == SUCCEEDED
            await left_nothing(server)
            await server.start(DAEMON + "echo > begun; exec sleep 1000", uid="v")
            await server.wait_for("v", "begun")
            os.kill(inside, signal.SIGKILL)
            server.process.wait()
            assert marked(server.mark) == []


async def test_descriptors_and_memory_stay_level(server: BashServer) -> None:
    for number in range(20):
        await finished(server, f"warm{number}")
    before = count_descriptors(server)
    for number in range(0, 200, 4):
        await asyncio.gather(*(finished(server, f"u{number + n}") for n in range(4)))
    assert count_descriptors(server) == before
    await left_nothing(server)


async def finished(server: BashServer, uid: str) -> None:
    """One Run from start to forgotten."""
    assert (await server.run("cat; echo out; echo err >&2", uid=uid, stdin=b"in")).state == SUCCEEDED
    await server.client.forget(uid)


def count_descriptors(server: BashServer) -> list[int]:
    """Open descriptors of the server and of each slot."""
    return sorted(len(os.listdir(f"/proc/{pid}/fd")) for pid in (server.process.pid, *server.slots()))
