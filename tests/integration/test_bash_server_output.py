"""Output of the bash server: floods and long lines are bounded, exact, and no trouble for neighbours."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.bash_server import BashServer, bash_server, own_directory, size, tail
from tests.runtime_client import eventually

pytestmark = pytest.mark.integration

MIB = 1 << 20
# Far above what a Run takes here, far below what a Run behind a flood would.
NEIGHBOUR_SECONDS = 2.0


@pytest.fixture
async def server() -> AsyncIterator[BashServer]:
    with own_directory() as directory:
        async with bash_server(directory) as server:
            yield server


def channel(run: pb.Run, name: str = "stdout") -> pb.OutputChannel:
    return next(channel for channel in run.channels if channel.name == name)


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def test_a_flood_is_counted_to_the_byte_and_kept_up_to_its_bound(server: BashServer) -> None:
    await server.run("true", uid="warm")
    before = resident(server.process.pid)
    run = await server.run("head -c 104857600 /dev/zero; echo end")
    stdout = channel(run)
    assert (run.state, stdout.end_offset, stdout.truncated) == (pb.RUN_STATE_SUCCEEDED, 100 * MIB + 4, True)
    assert stdout.tail.endswith(b"\0\0end\n")
    assert resident(server.process.pid) - before < 32 * MIB


async def test_neighbours_of_a_flood_do_not_wait_for_it(server: BashServer) -> None:
    await server.start("exec cat /dev/zero", uid="flood", output_policy=pb.OutputPolicy(max_bytes=MIB))
    await server.start("exec cat /dev/zero >&2", uid="err", output_policy=pb.OutputPolicy(max_bytes=MIB))

    async def flooding() -> bool | None:
        run = await server.client.get("flood")
        return True if any(one.end_offset > 8 * MIB for one in run.channels) else None

    await eventually(flooding)
    for number in range(20):
        async with asyncio.timeout(NEIGHBOUR_SECONDS):
            assert (await server.run("true", uid=f"u{number}")).state == pb.RUN_STATE_SUCCEEDED
    for uid in ("flood", "err"):
        await server.client.forget(uid, stop=True)


async def test_a_line_of_ten_mebibytes_is_kept_whole(server: BashServer) -> None:
    run = await server.run("head -c 10485760 /dev/zero | tr '\\0' x; echo")
    assert (size(run), channel(run).truncated) == (10 * MIB + 1, False)
    assert tail(run).endswith(b"xxx\n")


async def test_the_last_words_before_a_sudden_end_are_there(server: BashServer) -> None:
    run = await server.run("for i in {1..2000}; do echo line $i; done; kill -KILL $$")
    assert (run.result.exit.signal, tail(run).splitlines()[-1]) == (9, b"line 2000")


async def test_output_can_be_read_while_the_run_goes_on(server: BashServer) -> None:
    await server.start("echo early; exec sleep 1000")

    async def early() -> bool | None:
        run = await server.client.get()
        return True if any(one.end_offset == 6 for one in run.channels) else None

    await eventually(early)
    await server.client.forget(stop=True)


async def test_a_run_that_closes_its_output_goes_on(server: BashServer) -> None:
    run = await server.run('exec >&- 2>&-; echo lost; echo kept=yes > "$KRUNTIMES_OUTPUTS"; exit 0')
    assert (run.state, dict(run.result.outputs)) == (pb.RUN_STATE_SUCCEEDED, {"kept": "yes"})
