"""LC: how a Run goes from start to end, and what its result says."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.trial import TERMINAL, Failed, Trial, expect, state_name
from kruntimes.runtime.v1 import types_pb2 as pb

# What may follow a state; a snapshot may skip states, so everything reachable may follow.
_LATER: Final[Mapping[int, frozenset[int]]] = {
    pb.RUN_STATE_QUEUED: frozenset({2, 3, 4, 5}),
    pb.RUN_STATE_STARTING: frozenset({3, 4, 5}),
    pb.RUN_STATE_RUNNING: frozenset({4, 5}),
    pb.RUN_STATE_SUSPENDED: frozenset({3, 5}),
    pb.RUN_STATE_STOPPING: frozenset(),
}
_REASON: Final = re.compile(r"([A-Z][A-Z0-9_]{0,63})?\Z")
_STILL_SECONDS: Final = 0.3


@check("LC-01", "noop")
async def success(trial: Trial) -> None:
    run = await trial.run("noop")
    expect(run.state == pb.RUN_STATE_SUCCEEDED, f"noop ended {state_name(run)}: {run.result.error}")
    expect(not run.result.HasField("error"), f"a Run that ended well has an error: {run.result.error}")
    if trial.provides("process"):
        exited = run.result.exit
        expect(exited.HasField("code") and exited.code == 0, f"exit of a Run that ended well: {exited}")
    times = [run.accept_time, run.start_time, run.end_time]
    seconds = [time.ToNanoseconds() / 1e9 for time in times]
    expect(all(seconds) and seconds == sorted(seconds), f"accepted, started, ended at: {seconds}")


@check("LC-02", "exit_7")
async def exit_code(trial: Trial) -> None:
    run = await trial.run("exit_7")
    expect(run.state == pb.RUN_STATE_FAILED, f"exit_7 ended {state_name(run)}")
    kind = pb.ErrorKind.Name(run.result.error.kind)
    expect(run.result.error.kind == pb.ERROR_KIND_USER_CODE, f"its error is of kind {kind}")
    expect(run.result.exit.code == 7, f"its exit is: {run.result.exit}")


@check("LC-03", "crash_signal")
async def by_signal(trial: Trial) -> None:
    run = await trial.run("crash_signal")
    expect(run.state == pb.RUN_STATE_FAILED, f"crash_signal ended {state_name(run)}")
    expect(run.result.exit.signal > 0, "a Run that a signal ended has no exit.signal")
    expect(not run.result.exit.HasField("code"), "a Run that a signal ended has an exit.code")


@check("LC-04", "bad_program")
async def unloadable(trial: Trial) -> None:
    run = await trial.run("bad_program")
    expect(run.state == pb.RUN_STATE_FAILED, f"bad_program ended {state_name(run)}")
    kind = pb.ErrorKind.Name(run.result.error.kind)
    expect(run.result.error.kind == pb.ERROR_KIND_USER_INPUT, f"its error is of kind {kind}")
    advice = pb.RetryAdvice.Name(run.result.error.retry)
    expect(run.result.error.retry == pb.RETRY_ADVICE_NEVER, f"its advice is {advice}")


@check("LC-05", "noop")
async def terminal_is_final(trial: Trial) -> None:
    ended = await trial.run("noop")
    await trial.cancel(ended.key, reason="TOO_LATE")
    await asyncio.sleep(trial.scaled(_STILL_SECONDS))
    later = await trial.get(ended.key)
    expect(
        later.revision == ended.revision, f"revision {ended.revision} became {later.revision} after the end"
    )
    expect(later == ended, f"a terminal snapshot changed: state {state_name(later)}")


@check("LC-06", "noop", "exit_7", "sleep_60", runs=3)
async def legal_path(trial: Trial) -> None:
    for run in await _followed(trial):
        for one, next_one in pairwise(run):
            if one.state == next_one.state or next_one.requeue_count > one.requeue_count:
                continue
            legal = one.state < TERMINAL and (
                next_one.state >= TERMINAL or next_one.state in _LATER.get(one.state, ())
            )
            expect(legal, f"{state_name(one)} was followed by {state_name(next_one)}")


@check("LC-07", "noop", "exit_7", "sleep_60", runs=3)
async def revision_rises(trial: Trial) -> None:
    for run in await _followed(trial):
        for one, next_one in pairwise(run):
            expect(next_one.revision >= one.revision, _revisions(one, next_one, "fell"))
            if _told(one) != _told(next_one):
                expect(next_one.revision > one.revision, _revisions(one, next_one, "did not rise"))


def _revisions(one: pb.Run, next_one: pb.Run, did: str) -> str:
    states = f"{state_name(one)} to {state_name(next_one)}"
    return f"from {states} the revision {did}: {one.revision}, {next_one.revision}"


def _told(run: pb.Run) -> tuple[object, ...]:
    """What of a snapshot must not change without a new revision; output may grow and usage be measured."""
    times = (run.accept_time.ToNanoseconds(), run.start_time.ToNanoseconds(), run.end_time.ToNanoseconds())
    return (run.state, run.reason, run.message, *times, run.result.SerializeToString(deterministic=True))


async def _followed(trial: Trial) -> list[list[pb.Run]]:
    """Every snapshot that was seen of three Runs, one of them cancelled, each in the order of its answers."""
    well, badly, long = [
        await trial.start("noop"),
        await trial.start("exit_7"),
        await trial.start("sleep_60"),
    ]
    seen = {run.key.run_uid: [run] for run in (well, badly, long)}

    async def follow(key: pb.RunKey) -> None:
        while seen[key.run_uid][-1].state < TERMINAL:
            seen[key.run_uid].append(await trial.get(key))

    async def stop() -> None:
        await trial.started(long.key)
        await trial.cancel(long.key, grace=0.2)

    await asyncio.gather(stop(), *(follow(run.key) for run in (well, badly, long)))
    return list(seen.values())


@check("LC-08", "noop", "exit_7", "sleep_60", "bad_program", runs=2)
async def result_iff_terminal(trial: Trial) -> None:
    long = await trial.start("sleep_60")
    running = await trial.started(long.key)
    expect(not running.HasField("result"), f"a Run that is {state_name(running)} has a result")
    await trial.cancel(long.key, grace=0.2)
    ended = [await trial.ended(long.key)]
    ended += [await trial.run(name) for name in ("noop", "exit_7", "bad_program")]
    for run in ended:
        expect(run.HasField("result"), f"a Run that ended {state_name(run)} has no result")
        has, wanted = run.result.HasField("error"), run.state != pb.RUN_STATE_SUCCEEDED
        expect(has == wanted, f"a Run that ended {state_name(run)} has {'an' if has else 'no'} error")


@check("LC-09", "print_env")
async def environment(trial: Trial) -> None:
    given = {
        "CONFORMANCE_BLANKS": " two  words ",
        "CONFORMANCE_QUOTES": "a 'b' \"c\" $d `e` \\f",
        "CONFORMANCE_UTF8": "größer, 大",
        "CONFORMANCE_EMPTY": "",
        "HOME": "/conformance",
    }
    run = await trial.run("print_env", env={**given, "KRUNTIMES_RUN_UID": "not-this"})
    found = _variables(await _printed(trial, run))
    for name, value in given.items():
        expect(found.get(name) == value, f"{name} was given as {value!r} and arrived as {found.get(name)!r}")
    expect(found.get("KRUNTIMES_RUN_UID") != "not-this", "env won over a KRUNTIMES_ name of the server")


def _variables(printed: bytes) -> dict[str, str]:
    lines = printed.decode(errors="replace").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


@check("LC-10", "echo_args")
async def arguments_verbatim(trial: Trial) -> None:
    given = ["two words", "", "'quoted' \"twice\"", "a\nb", "größer, 大", "$HOME `id` * ~ \\n", "-n", "--"]
    spec = trial.spec("echo_args")
    spec.task.args[:] = given
    answer = await trial.client.call("StartRun", trial.request(spec))
    run = await trial.ended(answer.run.key)
    arrived = (await _printed(trial, run)).decode(errors="replace").split("\0")[:-1]
    expect(arrived == given, f"arguments {given} arrived as {arrived}")


async def _printed(trial: Trial, run: pb.Run) -> bytes:
    """All of stdout; where output is not served, the tail has to hold it."""
    expect(run.state == pb.RUN_STATE_SUCCEEDED, f"the Run ended {state_name(run)}: {run.result.error}")
    if trial.has_output:
        return await trial.output(run.key)
    return next((one.tail for one in run.channels if one.name == "stdout"), b"")


@check("LC-13", "orphan_grandchild")
async def nothing_left_running(trial: Trial) -> None:
    key = trial.key()
    request = {"env": {"CONFORMANCE_RUN": key.run_uid}} if trial.provides("env") else {}
    await trial.start("orphan_grandchild", key, **request)
    await trial.until(lambda: orphans(trial, key.run_uid), 10.0, "no kruntimes-orphan was seen")
    await trial.ended(key)
    left = await orphans(trial, key.run_uid)
    expect(not left, f"the Run has ended, and these of its processes have not: {left}")


async def orphans(trial: Trial, mark: str) -> list[str]:
    """The processes that the fixture orphan_grandchild left."""
    return [line for line in await trial.server.processes(mark) if "kruntimes-orphan" in line]


@check("LC-15", "noop", "exit_7", "bad_program")
async def text_bounds(trial: Trial) -> None:
    names = ["noop", "exit_7", "bad_program", "crash_signal", "binary_256"]
    for name in names:
        if not trial.facts.pack.lacks(name):
            _check_bounds(await trial.run(name), name)


def _check_bounds(run: pb.Run, fixture: str) -> None:
    error = run.result.error
    sizes = {
        "message": (run.message, 1 << 10),
        "error.message": (error.message, 4 << 10),
        "error.trace": (error.trace, 32 << 10),
    }
    for name, (text, most) in sizes.items():
        size = len(text.encode())
        expect(size <= most, f"{fixture}: {name} holds {size} bytes, more than {most}")
    for word in _reasons(run):
        if not _REASON.match(word):
            raise Failed(f"{fixture}: the reason {word!r} is no UPPER_SNAKE word of at most 64 bytes")
    expect(run.ByteSize() <= 128 << 10, f"{fixture}: a snapshot holds {run.ByteSize()} bytes")


def _reasons(run: pb.Run) -> Iterable[str]:
    return run.reason, run.result.error.reason
