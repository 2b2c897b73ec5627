"""The daemon's program between a scripted server and the embedded API server, in all kinds of trouble."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kruntimes_core.kube.codec import decode_run
from kruntimes_core.kube.errors import NotFound
from kruntimes_core.kube.kinds import LEASE, RUN
from kruntimes_core.kube.writes import write_event
from kruntimes_core.model.events import Requeued
from tests.integration.member import NAMESPACE, ApiServer, Place, Process, until

MakePlace = Callable[..., Place]


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    directory = Path(tempfile.mkdtemp(prefix="kr-api-"))
    server = ApiServer(directory)
    yield server
    server.resume()
    server.process.kill()
    shutil.rmtree(directory)


@pytest.fixture
async def make_place(api: ApiServer, request: pytest.FixtureRequest) -> AsyncIterator[MakePlace]:
    # A UNIX socket's path holds 107 bytes, which pytest's own directories come near.
    directory = Path(tempfile.mkdtemp(prefix="kr-"))
    places: list[Place] = []
    async with api.client() as client:

        def make(**settings: object) -> Place:
            pod = f"m-{abs(hash(request.node.name)) % 10**8}-{len(places)}"
            own = directory / str(len(places))
            own.mkdir()
            places.append(Place(api, client, own, pod, **settings))  # type: ignore[arg-type]
            return places[-1]

        yield make
        for place in places:
            for process in place.processes:
                process.kill()
    if "KEEP_LOGS" not in os.environ:
        shutil.rmtree(directory)


@pytest.fixture
async def place(make_place: MakePlace) -> Place:
    """A member that is ready."""
    found = make_place()
    found.start_daemon()
    found.start_server()
    await found.until_ready()
    return found


async def test_a_run_ends_and_its_result_is_stored(place: Place) -> None:
    await place.give(
        "ends", exit_code=7, stdout="out", stderr="err", outputs={"k": "v"}, stdout_base64="/wA="
    )

    status = await place.until_phase("ends", "Failed", "Succeeded")

    assert (status["phase"], status["exitCode"], status["reason"]) == ("Failed", 7, "NonZeroExit")
    assert status["output"]["stdout"] == {"bytes": 5, "truncated": False, "tailBase64": "b3V0/wA="}
    assert status["output"]["stderr"] == {"bytes": 3, "truncated": False, "tail": "err"}
    assert status["outputs"] == {"k": "v"}
    assert (status["attempt"], status["assignedPod"], status["assignedPodUID"]) == (1, place.pod, place.uid)
    times = [status["timings"][step] for step in ("assigned", "delivered", "started", "ended", "stored")]
    assert times == sorted(times)
    assert all(len(time) == len("2026-01-02T03:04:05.678901Z") for time in times)
    await place.until_forgotten()


async def test_the_lease_says_who_the_member_is(make_place: MakePlace) -> None:
    place = make_place(lease=3.0)
    place.start_daemon()
    place.start_server()
    member = await place.until_ready()
    lease = await place.client.get(LEASE.named(NAMESPACE, place.pod))

    assert (member.pod_uid, member.runtime, member.capacity["runs"]) == (place.uid, "fake", 4)
    assert b'"ownerReferences"' in lease

    first = member.renewed
    await until(
        place.read_member, lambda now: now is not None and now.renewed != first, "the lease is renewed"
    )


async def test_source_and_files_are_in_the_workspace(place: Place) -> None:
    files = [{"path": "a/b.txt", "text": "né"}, {"path": "raw", "base64": "/wA="}]
    spec = {"source": {"inline": "echo hi", "inlinePath": "bin/main.sh"}, "files": files}
    await place.give("files", spec, hold=True)
    await place.until_phase("files", "Running")

    run = await place.read("files")
    workspace = place.workspaces / f"{run['metadata']['uid']}-1"

    assert (workspace / "bin/main.sh").read_text() == "echo hi"
    assert (workspace / "a/b.txt").read_text() == "né"
    assert (workspace / "raw").read_bytes() == b"\xff\0"


async def test_parameters_that_break_the_schema_fail_the_run(place: Place) -> None:
    await place.give("parameters", exit_code="seven")

    status = await place.until_phase("parameters", "Failed")

    assert status["reason"] == "ParametersInvalid"
    assert status["message"].startswith("spec.parameters.exit_code: ")
    assert await place.list_on_server() == []


async def test_changes_of_a_run_under_way_start_it_once(place: Place) -> None:
    await place.give("once", hold=True, stdout="x", farewell="y")
    for number in range(5):
        patch = {"metadata": {"labels": {"n": str(number)}}}
        await place.client.patch(RUN.named(NAMESPACE, "once"), patch)
    await place.until_phase("once", "Running")
    await place.client.patch(RUN.named(NAMESPACE, "once"), {"spec": {"cancelRequested": True}})

    status = await place.until_phase("once", "Cancelled", "Failed", "Succeeded")

    assert (status["phase"], status["attempt"]) == ("Cancelled", 1)
    assert status["output"]["stdout"]["tail"] == "xy"


async def test_a_run_that_a_full_server_refuses_goes_back(place: Place) -> None:
    await place.give("refused", refuse="SERVER_FULL")

    status = await place.until_phase("refused", "Pending")

    assert (status["attempt"], status["reason"]) == (1, "ServerFull")
    assert "assignedPod" not in status
    assert status.get("losses", 0) == 0
    await until(place.list_workspaces, lambda names: names == [], "the workspace is removed")


async def test_a_run_of_a_server_that_dies_is_requeued(place: Place) -> None:
    _, server = place.processes
    await place.give("server-dies", hold=True)
    await place.until_phase("server-dies", "Running")
    before = await place.until_ready()

    server.kill()
    place.start_server()
    status = await place.until_phase("server-dies", "Pending")

    assert (status["attempt"], status["losses"]) == (2, 1)
    assert "assignedPod" not in status

    await place.until_ready(not_instance=before.instance)
    await place.assign("server-dies")
    assert (await place.until_phase("server-dies", "Running"))["attempt"] == 2


async def test_a_daemon_that_was_killed_adopts_its_runs(place: Place) -> None:
    daemon, _ = place.processes
    await place.give("adopted", hold=True, stdout="x")
    await place.give("ends-meanwhile", run_for=0.5, stdout="z")
    await place.until_phase("adopted", "Running")

    daemon.kill()
    place.start_daemon()

    ended = await place.until_phase("ends-meanwhile", "Succeeded", "Failed")
    assert (ended["phase"], ended["attempt"], ended["output"]["stdout"]["tail"]) == ("Succeeded", 1, "z")
    await place.client.patch(RUN.named(NAMESPACE, "adopted"), {"spec": {"cancelRequested": True}})
    status = await place.until_phase("adopted", "Cancelled")
    assert (status["attempt"], status["output"]["stdout"]["tail"]) == (1, "x")
    await place.until_forgotten()


async def test_a_run_deleted_while_no_daemon_looked_is_stopped(place: Place) -> None:
    daemon, _ = place.processes
    await place.give("deleted", hold=True)
    await place.until_phase("deleted", "Running")

    daemon.kill()
    await place.client.delete(RUN.named(NAMESPACE, "deleted"))
    assert len(await place.list_on_server()) == 1
    place.start_daemon()

    await place.until_forgotten()


async def test_a_run_that_is_deleted_is_stopped(place: Place) -> None:
    await place.give("deleted-live", hold=True)
    await place.until_phase("deleted-live", "Running")

    await place.client.delete(RUN.named(NAMESPACE, "deleted-live"))

    await place.until_forgotten()


async def test_a_daemon_stopped_past_its_lease_changes_nothing(make_place: MakePlace) -> None:
    place = make_place(lease=3.0)
    daemon = place.start_daemon()
    place.start_server()
    await place.until_ready()
    await place.give("frozen", hold=True, flood=200_000, farewell="stopped, nobody called")
    await place.until_phase("frozen", "Running")

    daemon.send(signal.SIGSTOP)
    await until(place.read_spool, lambda kept: b"nobody called" in kept, "the server stops the Run by itself")
    run = decode_run(await place.client.get(RUN.named(NAMESPACE, "frozen")))
    now = datetime.now(UTC)
    await write_event(place.client, run, Requeued(2, 1, "MemberLost", "its lease ran out", now), now)
    want = await place.read("frozen")
    daemon.send(signal.SIGCONT)

    await place.until_forgotten()
    await place.until_ready()
    assert (await place.read("frozen"))["status"] == want["status"]


async def test_a_result_waits_for_an_api_server_that_is_away(place: Place) -> None:
    await place.give("api-away", run_for=0.5, stdout="kept")
    await until(place.list_on_server, lambda held: len(held) == 1, "the Run has started")

    place.api.pause()
    try:
        await until(place.count_active, lambda active: active == 0, "the Run has ended")
    finally:
        place.api.resume()

    status = await place.until_phase("api-away", "Succeeded", "Failed", "Pending")
    assert (status["phase"], status["attempt"]) == ("Succeeded", 1)
    assert status["output"]["stdout"]["tail"] == "kept"


async def test_a_daemon_told_to_stop_finishes_its_runs_first(place: Place) -> None:
    daemon, _ = place.processes
    await place.give("last", run_for=1.0)
    await place.until_phase("last", "Running")

    daemon.send(signal.SIGTERM)
    code = await daemon.wait()

    assert code == 0
    assert (await place.until_phase("last", "Succeeded", "Failed"))["phase"] == "Succeeded"
    with pytest.raises(NotFound):
        await place.client.get(LEASE.named(NAMESPACE, place.pod))


async def test_the_drain_command_returns_when_the_server_is_empty(place: Place) -> None:
    await place.give("drained", run_for=1.0)
    await place.until_phase("drained", "Running")

    drain = place.start("kruntimes_core.apps.daemon", "drain")
    code = await drain.wait()

    assert code == 0
    assert (await place.read("drained"))["status"]["phase"] == "Succeeded"
    member = await place.read_member()
    assert member is not None
    assert member.accept_state == "Draining"


async def test_many_runs_at_once_all_end(make_place: MakePlace) -> None:
    place = make_place(capacity={"runs": 64})
    place.start_daemon()
    place.start_server()
    await place.until_ready()
    names = [f"many-{number}" for number in range(40)]

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(place.give(name, stdout=name))

    for name in names:
        status = await place.until_phase(name, "Succeeded", "Failed", "Pending")
        assert (status["phase"], status["output"]["stdout"]["tail"]) == ("Succeeded", name)
    await place.until_forgotten()


async def test_a_member_cut_off_past_its_lease_ends_its_runs_and_gives_them_back(
    make_place: MakePlace,
) -> None:
    place = make_place(lease=3.0)
    place.start_daemon()
    place.start_server()
    await place.until_ready()
    await place.give("cut-off", hold=True)
    await place.until_phase("cut-off", "Running")

    place.api.pause()
    try:
        await until(place.count_active, lambda active: active == 0, "the daemon ends the Run")
    finally:
        place.api.resume()

    status = await place.until_phase("cut-off", "Pending", "Failed", "Cancelled")
    assert (status["phase"], status["attempt"], status["losses"]) == ("Pending", 2, 1)
    assert status["reason"] == "DaemonLost"
    await place.until_forgotten()

    await place.give("afterwards")
    assert (await place.until_phase("afterwards", "Succeeded", "Failed"))["phase"] == "Succeeded"


async def test_a_member_that_was_killed_whole_accounts_for_its_runs(place: Place) -> None:
    before = await place.until_ready()
    await place.give("whole-member", {"source": {"inline": "x"}}, hold=True)
    await place.until_phase("whole-member", "Running")

    for process in place.processes:
        process.kill()
    place.start_daemon()
    place.start_server()
    await place.until_ready(not_instance=before.instance)

    status = await place.until_phase("whole-member", "Pending")
    assert (status["attempt"], status["losses"]) == (2, 1)
    await until(place.list_workspaces, lambda names: names == [], "what was left behind is swept")


async def test_a_daemon_outlives_an_api_server_that_is_killed(place: Place) -> None:
    await place.give("api-killed", run_for=1.0, stdout="x")
    await place.until_phase("api-killed", "Running")

    place.api.restart()

    status = await place.until_phase("api-killed", "Succeeded", "Failed", "Pending")
    assert (status["phase"], status["attempt"], status["output"]["stdout"]["tail"]) == ("Succeeded", 1, "x")


async def test_a_log_that_is_stuck_holds_up_no_other_run_no_cancel_and_no_result(
    make_place: MakePlace,
) -> None:
    place = make_place()
    daemon = place.start_daemon(unread=True)
    place.start_server()
    await place.until_ready()
    await place.give("floods", hold=True, flood=1 << 20)
    await place.until_phase("floods", "Running")
    await until(lambda: says(daemon, "takes nothing"), bool, "the log is stuck")

    await place.give("beside", stdout="x")
    assert (await place.until_phase("beside", "Succeeded", "Failed"))["phase"] == "Succeeded"
    await place.client.patch(RUN.named(NAMESPACE, "floods"), {"spec": {"cancelRequested": True}})

    status = await place.until_phase("floods", "Cancelled", "Failed")
    assert status["output"]["stdout"]["bytes"] == 1 << 20
    assert status["output"]["stdout"]["tail"] == "x" * 4096
    await place.until_forgotten()


async def says(process: Process, words: str) -> bool:
    return words in process.log.read_text()
