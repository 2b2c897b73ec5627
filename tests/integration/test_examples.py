"""The examples do what their READMEs say, over the real protocol where they speak it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
import pytest
from kruntimes.runtime.v1 import runtime_service_pb2 as service
from kruntimes.runtime.v1 import types_pb2 as types
from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceStub

if TYPE_CHECKING:
    from kruntimes.runtime.v1.runtime_service_pb2_grpc import RuntimeServiceAsyncStub

pytestmark = pytest.mark.integration

# The pipeline's own bound, and what it takes to come up and go down.
PIPELINE_BOUND = 150.0
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BOUND = 20.0


@pytest.mark.slow
async def test_the_pipeline_ends_as_it_should_with_the_clone_out_of_sight() -> None:
    pipeline = str(EXAMPLES / "01-ci-pipeline" / "pipeline.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        pipeline,
        "--hide-clone",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PIPELINE_BOUND):
        printed, _ = await process.communicate()

    assert process.returncode == 0, printed.decode()


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator["RuntimeServiceAsyncStub"]:
    """The server of example 02, as a process of its own."""
    endpoint = f"unix://{tmp_path}/counter.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "02-runtime-server" / "counter.py"),
        env=os.environ | {"KRUNTIMES_ENDPOINT": endpoint, "KRUNTIMES_TERMINATION_GRACE_SECONDS": "2"},
    )
    try:
        async with grpc.aio.insecure_channel(endpoint) as channel:
            stub = RuntimeServiceStub(channel)
            await stub.Handshake(service.HandshakeRequest(client="test"), wait_for_ready=True, timeout=BOUND)
            yield stub
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(BOUND):
            assert await process.wait() == 0


def counting(text: bytes) -> service.StartRunRequest:
    inline = types.Payload(content_type="text/plain", inline=text)
    spec = types.RunSpec(
        namespace="default",
        name="count",
        task=types.TaskWorkload(),
        source=types.Source(inline=inline),
        resources=types.Resources(requests={"runs": 1}),
    )
    key = types.RunKey(run_uid="u-1", attempt=1)
    return service.StartRunRequest(key=key, spec_digest="d", spec=spec)


async def end_of(stub: "RuntimeServiceAsyncStub", request: service.StartRunRequest) -> types.Run:
    """Start it, follow Watch to its end, and have it forgotten."""
    await stub.StartRun(request, timeout=BOUND)
    async with asyncio.timeout(BOUND):
        async for event in stub.Watch(service.WatchRequest()):
            if event.WhichOneof("event") == "run" and event.run.state >= types.RUN_STATE_SUCCEEDED:
                await stub.ForgetRun(service.ForgetRunRequest(key=request.key), timeout=BOUND)
                return event.run
    raise AssertionError("Watch ended before the Run did")


async def test_the_word_counter_counts_words(counter: "RuntimeServiceAsyncStub") -> None:
    run = await end_of(counter, counting(b"one two\nthree\n"))

    assert run.state == types.RUN_STATE_SUCCEEDED
    assert dict(run.result.outputs) == {"words": "3"}


async def test_the_word_counter_refuses_what_is_no_text(counter: "RuntimeServiceAsyncStub") -> None:
    run = await end_of(counter, counting(b"\xff\xfe"))

    assert (run.state, run.result.error.reason) == (types.RUN_STATE_FAILED, "SOURCE_INVALID")
