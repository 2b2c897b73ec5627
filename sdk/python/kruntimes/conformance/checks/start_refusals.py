"""ST: what StartRun refuses, and that it leaves no trace."""

import os
from pathlib import Path
from typing import Final

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.trial import Trial, expect
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

_NO_RESOURCE: Final = "conformance.kruntimes.io/none"


@check("ST-10", "noop")
async def malformed_key(trial: Trial) -> None:
    bad = [pb.RunKey(attempt=1), pb.RunKey(run_uid="u", attempt=0), pb.RunKey()]
    bad.extend(pb.RunKey(run_uid=uid, attempt=1) for uid in ("a" * 65, "a/b", "../a", "ä"))
    for key in bad:
        await trial.refused("StartRun", trial.request(trial.spec("noop"), key), "INVALID_ARGUMENT")


@check("ST-11")
async def no_workload(trial: Trial) -> None:
    spec = pb.RunSpec(namespace="conformance", name="no-workload")
    await trial.refused("StartRun", trial.request(spec), "INVALID_ARGUMENT")


@check("ST-12", "noop")
async def ability_not_offered(trial: Trial) -> None:
    can = trial.facts.can.workload
    inline = pb.Payload(content_type="text/plain", inline=b"text")
    asked: list[pb.RunSpec] = []
    if not can.task:
        asked.append(pb.RunSpec(namespace="conformance", name="task", task=pb.TaskWorkload(args=["a"])))
    origins = {
        cap.SOURCE_KIND_INLINE: pb.Source(inline=inline),
        cap.SOURCE_KIND_WORKSPACE: pb.Source(workspace_path="source"),
        cap.SOURCE_KIND_URI: pb.Source(uri="https://example.invalid/source"),
    }
    asked += [trial.spec("noop", source=one) for kind, one in origins.items() if kind not in can.sources]
    if not can.stdin:
        asked.append(trial.spec("noop", stdin=b"input"))
    if not can.secrets:
        asked.append(trial.spec("noop", secret_env={"SECRET": "value"}))
    if not can.attachments:
        attachment = pb.Attachment(name="a", path="a", content=inline)
        asked.append(trial.spec("noop", attachments=[attachment]))
    for spec in asked:
        await trial.refused("StartRun", trial.request(spec), "UNIMPLEMENTED")


@check("ST-14", "noop")
async def path_escape(trial: Trial) -> None:
    sources = trial.facts.can.workload.sources
    inline = pb.Payload(content_type="text/plain", inline=b"text")
    for path in ("../escape", "a/../../escape", "/tmp/escape"):
        if cap.SOURCE_KIND_INLINE in sources:
            spec = trial.spec("noop", source=pb.Source(inline=inline, inline_path=path))
            await trial.refused("StartRun", trial.request(spec), "INVALID_ARGUMENT")
        if cap.SOURCE_KIND_WORKSPACE in sources:
            spec = trial.spec("noop", source=pb.Source(workspace_path=path))
            await trial.refused("StartRun", trial.request(spec), "INVALID_ARGUMENT")
    if cap.SOURCE_KIND_WORKSPACE in sources and trial.server.workspaces is not None:
        await _link_escape(trial, trial.server.workspaces)


async def _link_escape(trial: Trial, workspaces: Path) -> None:
    """A program behind a link that leads out of the workspace must not be found: no Run of it ends well."""
    key = trial.key()
    outside = workspaces.parent / f"outside-{key.run_uid}"
    workspace = workspaces / f"{key.run_uid}-1"
    for directory in (outside, workspace):
        directory.mkdir(mode=0o700)
    (outside / "source").write_bytes(trial.facts.pack.specs["noop"].source.inline.inline)
    os.symlink(outside, workspace / "link")
    spec = trial.spec("noop", source=pb.Source(workspace_path="link/source"))
    spec.workspace.path = str(workspace)
    answer = await trial.client.call("StartRun", trial.request(spec, key))
    run = await trial.ended(answer.run.key)
    expect(run.state == pb.RUN_STATE_FAILED, "a program behind a link out of the workspace was run")


@check("ST-20", "noop")
async def refusal_leaves_no_trace(trial: Trial) -> None:
    good = trial.request(trial.spec("noop"))
    refusals: dict[str, rpc.StartRunRequest] = {}
    for name in ("no workload", "another instance", "an unknown resource"):
        bad = rpc.StartRunRequest()
        bad.CopyFrom(good)
        refusals[name] = bad
    refusals["no workload"].spec.ClearField("task")
    refusals["another instance"].expected_instance_id = "one-that-never-was"
    refusals["an unknown resource"].spec.resources.requests[_NO_RESOURCE] = 1
    for request in refusals.values():
        await trial.refused("StartRun", request, "INVALID_ARGUMENT", "ABORTED")
        await trial.refused("GetRun", rpc.GetRunRequest(key=good.key), "NOT_FOUND")
    listed = [run.key for run in await trial.listed()]
    expect(good.key not in listed, "a refused Run is listed")
    answer = await trial.client.once("StartRun", good)
    expect(answer.created, "a key that was refused before is not created")
    await trial.ended(good.key)
