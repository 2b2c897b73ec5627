"""GL: reading one Run, and all."""

import asyncio

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.trial import Trial, expect
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc

_PAGE_BYTES = 2 << 20
_MANY = 100
_BATCH = 4


@check("GL-01")
async def get_unknown(trial: Trial) -> None:
    await trial.refused("GetRun", rpc.GetRunRequest(key=trial.key()), "NOT_FOUND")


@check("GL-03", "noop", manner=Manner.ALONE)
async def pages_complete(trial: Trial) -> None:
    wanted = [(await trial.run("noop")).key.run_uid for _ in range(5)]
    found: list[str] = []
    request = rpc.ListRunsRequest(page_size=2)
    for _ in range(10_000):
        page = await trial.client.call("ListRuns", request)
        expect(len(page.runs) <= 2, f"a page of two holds {len(page.runs)} Runs")
        found += [run.key.run_uid for run in page.runs if run.key.run_uid in wanted]
        if not page.next_page_token or len(found) > len(wanted):
            break
        request = rpc.ListRunsRequest(page_size=2, page_token=page.next_page_token)
    seen = [found.count(uid) for uid in wanted]
    expect(seen == [1] * 5, f"of five Runs, by two on a page, each is listed so often: {seen}")


@check("GL-06", "noop", manner=Manner.ALONE)
async def page_bytes(trial: Trial) -> None:
    fixture = "noop" if trial.facts.pack.lacks("write_outputs") else "write_outputs"
    keys: set[str] = set()
    status = await trial.status()
    batch = max(1, min(_BATCH, status.capacity.available.get("runs", 1)))
    while len(keys) < _MANY:
        starts = [trial.request(trial.spec(fixture)) for _ in range(batch)]
        await asyncio.gather(*(trial.client.once("StartRun", start) for start in starts))
        ended = await asyncio.gather(*(trial.ended(start.key) for start in starts))
        keys |= {run.key.run_uid for run in ended}
    request = rpc.ListRunsRequest(page_size=1000)
    found = []
    while True:
        page = await trial.client.once("ListRuns", request)
        expect(page.ByteSize() < _PAGE_BYTES, f"an answer of ListRuns has {page.ByteSize()} bytes")
        found += [run.key.run_uid for run in page.runs if run.key.run_uid in keys]
        if not page.next_page_token:
            break
        request = rpc.ListRunsRequest(page_size=1000, page_token=page.next_page_token)
    missing = len(keys - set(found))
    expect(missing == 0, f"of {len(keys)} Runs {missing} are on no page")
