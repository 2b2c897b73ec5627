"""Writes of a Run: each answer of the API becomes the outcome that says what to do, tails included."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as wire

from kruntimes_core.apps.daemon.container_log import ContainerLog
from kruntimes_core.apps.daemon.output import Outputs
from kruntimes_core.apps.daemon.reports import Reports
from kruntimes_core.clock import SystemClock
from kruntimes_core.daemon.instructions import (
    Collect,
    Done,
    Outcome,
    Refused,
    Rejected,
    Superseded,
    Unwritten,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState, ServerRun
from kruntimes_core.kube.client import Client
from kruntimes_core.kube.events import Recorder, Reporter
from kruntimes_core.model.ending import Channel, Ending
from kruntimes_core.model.events import HandedBack, Succeeded
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Phase, Run
from tests.fakes import FakeApi, status
from tests.unit.scripted_server import ScriptedServer

RUN = Run(
    *("default", "r", "u", "5", "fake", datetime(2026, 1, 1, tzinfo=UTC)),
    phase=Phase.RUNNING,
    attempt=1,
    assignment=Assignment("pod", "pod-uid", "i"),
)

# Where nothing is to be written to a log, nothing can be.
NO_LOG = ContainerLog(-1)


def write(output: Mapping[str, Channel]) -> Write:
    return Write(1, RUN.key, RUN, Succeeded(Ending(exit_code=0, output=output)))


def ended(output: Mapping[str, Channel]) -> Collect:
    return Collect(1, RUN.key, ServerRun(RUN.key, "i", 3, RunState.SUCCEEDED, output=output))


async def report(api: FakeApi, outputs: Outputs, order: Write) -> Outcome:
    async with Client(api.access, "test") as client:
        recorder = Recorder(client, Reporter("test", "test-1"), SystemClock())
        return await Reports(client, recorder, outputs).write(order)


def written(api: FakeApi) -> Any:
    return json.loads(api.requests[-1][3])["status"]["output"]


def object_of(code: int) -> dict[str, Any]:
    if code == 200:
        return {"metadata": {"name": "r", "resourceVersion": "6"}}
    return status(code, {404: "NotFound", 422: "Invalid", 413: "RequestEntityTooLarge"}.get(code, ""))


OUTCOMES = {
    "acknowledged": (200, Written),
    "the Run is gone": (404, Superseded),
    "too much": (413, Rejected),
    "against the schema": (422, Rejected),
    "the server failed": (500, Unwritten),
    "the server is away": (503, Unwritten),
    "not allowed now": (403, Unwritten),
}


@pytest.mark.parametrize(("code", "want"), OUTCOMES.values(), ids=OUTCOMES.keys())
async def test_an_answer_of_the_api_is_an_outcome(tmp_path: Path, code: int, want: type[Outcome]) -> None:
    async with FakeApi.started() as api, ScriptedServer().serving(tmp_path) as server:
        api.answers.append(("PATCH", code, object_of(code), {}))

        outcome = await report(api, Outputs(server, NO_LOG), write({}))

    assert isinstance(outcome, want)


async def test_tails_that_the_server_sent_are_written_as_they_are(tmp_path: Path) -> None:
    scripted = ScriptedServer()
    output = {"stdout": Channel(2, False, b"hi"), "stderr": Channel()}
    async with FakeApi.started() as api, scripted.serving(tmp_path) as server:
        api.answers.append(("PATCH", 200, object_of(200), {}))
        outputs = Outputs(server, NO_LOG)

        assert await outputs.collect(ended(output)) == Done()
        await report(api, outputs, write(output))

    assert written(api)["stdout"] == {"bytes": 2, "truncated": False, "tail": "hi"}
    assert scripted.count("ReadOutput") == 0


async def test_small_tails_that_the_server_left_out_are_read_and_need_no_log(tmp_path: Path) -> None:
    scripted = ScriptedServer()
    chunk = wire.OutputChunk(channel="stdout", data=b"x" * 4096)
    scripted.answers["ReadOutput"] = [wire.ReadOutputResponse(chunk=chunk)]
    output = {"stdout": Channel(4096), "stderr": Channel()}
    async with FakeApi.started() as api, scripted.serving(tmp_path) as server:
        api.answers.append(("PATCH", 200, object_of(200), {}))
        outputs = Outputs(server, NO_LOG)

        assert await outputs.collect(ended(output)) == Done()
        await report(api, outputs, write(output))

    (_, asked) = scripted.asked[0]
    assert [(cursor.channel, cursor.offset) for cursor in asked.cursors] == [("stdout", 0)]
    assert written(api)["stdout"] == {"bytes": 4096, "truncated": False, "tail": "x" * 4096}


async def test_tails_are_kept_until_they_are_written(tmp_path: Path) -> None:
    scripted = ScriptedServer()
    chunk = wire.OutputChunk(channel="stdout", data=b"hi")
    scripted.answers["ReadOutput"] = [wire.ReadOutputResponse(chunk=chunk)]
    output = {"stdout": Channel(2)}
    async with FakeApi.started() as api, scripted.serving(tmp_path) as server:
        outputs = Outputs(server, NO_LOG)
        await outputs.collect(ended(output))
        for code in (503, 200, 200):
            api.answers.append(("PATCH", code, object_of(code), {}))

        assert isinstance(await report(api, outputs, write(output)), Unwritten)
        assert isinstance(await report(api, outputs, write(output)), Written)
        assert written(api)["stdout"]["tail"] == "hi"

        await report(api, outputs, write(output))
        assert written(api)["stdout"]["tail"] == ""


async def test_output_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    scripted = ScriptedServer()
    scripted.answers["ReadOutput"] = [grpc.StatusCode.NOT_FOUND]
    async with scripted.serving(tmp_path) as server:
        outcome = await Outputs(server, NO_LOG).collect(ended({"stdout": Channel(2)}))

    assert isinstance(outcome, Refused)
    assert outcome.code is Code.NOT_FOUND


async def test_a_run_that_is_handed_back_is_told_of_and_one_that_ends_well_is_not(tmp_path: Path) -> None:
    back = HandedBack(Reason.SERVER_FULL, "No slot is free", datetime(2026, 1, 1, tzinfo=UTC))
    orders = [write({}), Write(2, RUN.key, replace(RUN, phase=Phase.SCHEDULED), back)]
    async with (
        FakeApi.started() as api,
        ScriptedServer().serving(tmp_path) as server,
        Client(api.access, "test") as client,
    ):
        recorder = Recorder(client, Reporter("test", "test-1"), SystemClock(), pause=0)
        reports = Reports(client, recorder, Outputs(server, NO_LOG))
        for order in orders:
            api.answers.append(("PATCH", 200, object_of(200), {}))
            assert isinstance(await reports.write(order), Written)
        telling = asyncio.create_task(recorder.run())
        await api.until(lambda: api.requests[-1][0] == "POST")
        telling.cancel()

    told = [json.loads(body)["reason"] for method, _, _, body in api.requests if method == "POST"]
    assert told == ["ServerFull"]
