"""RV: what a new daemon finds, and what a new server process does."""

from kruntimes.conformance.catalogue import Manner, check
from kruntimes.conformance.checks.handshake import restarted
from kruntimes.conformance.checks.life import orphans
from kruntimes.conformance.trial import TERMINAL, Trial, expect, state_name
from kruntimes.runtime.v1 import capabilities_pb2 as cap
from kruntimes.runtime.v1 import types_pb2 as pb


@check("RV-01", "sleep_60")
async def new_daemon_adopts(trial: Trial) -> None:
    key = (await trial.start("sleep_60")).key
    await trial.started(key)
    await trial.client.close()
    trial.client = trial.connect()
    found = next((run for run in await trial.listed() if run.key == key), pb.Run())
    expect(found.state == pb.RUN_STATE_RUNNING, f"a second client is shown the Run {state_name(found)}")
    await trial.cancel(key, grace=0.2)
    run = await trial.ended(key)
    expect(run.state == pb.RUN_STATE_CANCELLED, f"cancelled by a second client it ended {state_name(run)}")


@check("RV-02", "sleep_60", "noop", manner=Manner.APART)
async def restart_process(trial: Trial) -> None:
    old = trial.request(trial.spec("sleep_60"))
    await trial.client.call("StartRun", old)
    await trial.started(old.key)
    mark = trial.key()
    looks = "process hook" in trial.facts.abilities and not trial.facts.pack.lacks("orphan_grandchild")
    if looks:
        env = {"CONFORMANCE_RUN": mark.run_uid} if trial.provides("env") else {}
        await trial.start("orphan_grandchild", mark, env=env)
        await trial.until(lambda: orphans(trial, mark.run_uid), 10.0, "no kruntimes-orphan was seen")
    await trial.server.restart()
    await restarted(trial)
    if looks:
        left = await orphans(trial, mark.run_uid)
        expect(not left, f"the new process serves, and of the old one these run: {left}")
    if trial.facts.can.scheduling.durability == cap.RUN_DURABILITY_PROCESS:
        stale = [run.key.run_uid for run in await trial.listed() if run.state < TERMINAL]
        expect(old.key.run_uid not in stale, "a Run of the old process is listed as active by the new one")
        await trial.refused("StartRun", old, "ABORTED")
