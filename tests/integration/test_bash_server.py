"""The bash server: what runs, what it finds, how it ends, and that its surroundings are its own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.bash_server import SECRET, BashServer, bash_server, own_directory, size, tail
from tests.integration.fake_server import refused
from tests.runtime_client import eventually

pytestmark = pytest.mark.integration

SUCCEEDED = pb.RUN_STATE_SUCCEEDED
FAILED = pb.RUN_STATE_FAILED


@pytest.fixture
async def server() -> AsyncIterator[BashServer]:
    with own_directory() as directory:
        async with bash_server(directory) as server:
            yield server


def failure(run: pb.Run) -> tuple[str, str, str]:
    """Kind, reason and advice of a failed Run."""
    error = run.result.error
    kind = pb.ErrorKind.Name(error.kind).removeprefix("ERROR_KIND_")
    return kind, error.reason, pb.RetryAdvice.Name(error.retry).removeprefix("RETRY_ADVICE_")


PROGRAMS = {
    "one argument is shell text": (("echo 'a  b'; echo c",), {}, b"a  b\nc\n"),
    "several arguments are a program and its arguments": (
        ("printf", "%s|", "a  b", "$HOME", "*"),
        {},
        b"a  b|$HOME|*|",
    ),
    "a source is run with its arguments": (
        ("x", "y z"),
        {"files": {"source": "echo $# $2 $0"}},
        b"2 y z source\n",
    ),
    "an entrypoint is a file of the workspace": (
        (),
        {"files": {"go.sh": "echo went"}, "entrypoint": "go.sh"},
        b"went\n",
    ),
    "an entrypoint may be a program": (("-n", "hi"), {"entrypoint": "echo"}, b"hi"),
    "a name that looks like an option is a name": (
        (),
        {"files": {"-n": "echo dash"}, "entrypoint": "-n"},
        b"dash\n",
    ),
    "stdin comes whole and then ends": (("cat; echo over",), {"stdin": b"\0in\xff"}, b"\0in\xffover\n"),
    "without stdin there is nothing to read": (("cat; echo over",), {}, b"over\n"),
    "a program may close its stdin": (("exec 0<&-; cat; echo $?",), {}, b"1\n"),
    "a source may come in the request": (
        ("q",),
        {"source": pb.Source(inline=pb.Payload(inline=b"echo inline $1"), inline_path="a/b.sh")},
        b"inline q\n",
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
async def test_what_runs(server: BashServer, name: str) -> None:
    args, spec, want = PROGRAMS[name]
    run = await server.run(*args, **spec)  # type: ignore[arg-type]
    assert (run.state, tail(run)) == (SUCCEEDED, want)


FAILURES = {
    "exit 7": (("exit 7",), {}, ("USER_CODE", "NON_ZERO_EXIT", "UNSPECIFIED")),
    "a signal": (("kill -SEGV $$",), {}, ("USER_CODE", "KILLED_BY_SIGNAL", "UNSPECIFIED")),
    "no such program": (("no-such-program", "x"), {}, ("USER_INPUT", "MISSING_PROGRAM", "NEVER")),
    "a program that may not be executed": (
        ("/etc/passwd", "x"),
        {},
        ("USER_INPUT", "MISSING_PROGRAM", "NEVER"),
    ),
    "a source that is not there": (
        (),
        {"source": pb.Source(workspace_path="none.sh")},
        ("USER_INPUT", "SOURCE_NOT_FOUND", "NEVER"),
    ),
    "a source that does not parse": (
        (),
        {"files": {"source": "echo begun\nif true; then\n"}},
        ("USER_INPUT", "SOURCE_INVALID", "NEVER"),
    ),
    "a source that is no text": (
        (),
        {"files": {"source": bytes(range(256)) * 8}},
        ("USER_INPUT", "SOURCE_INVALID", "NEVER"),
    ),
    "shell text that does not parse": (("echo (",), {}, ("USER_INPUT", "SOURCE_INVALID", "NEVER")),
    "code 2 of a program that ran": (
        ("eval 'if'; exit 2",),
        {},
        ("USER_CODE", "NON_ZERO_EXIT", "UNSPECIFIED"),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_what_fails(server: BashServer, name: str) -> None:
    args, spec, want = FAILURES[name]
    run = await server.run(*args, **spec)  # type: ignore[arg-type]
    assert (run.state, failure(run)) == (FAILED, want)
    assert run.result.error.message.endswith((".", "'", "file")), run.result.error.message


async def test_a_signal_leaves_no_code_and_a_code_no_signal(server: BashServer) -> None:
    killed = await server.run("kill -SEGV $$", uid="a")
    exited = await server.run("exit 7", uid="b")
    assert (killed.result.exit.signal, killed.result.exit.HasField("code")) == (11, False)
    assert (exited.result.exit.code, exited.result.exit.HasField("signal")) == (7, False)


async def test_every_byte_comes_through(server: BashServer) -> None:
    text = r"""for i in {0..255}; do printf "\\x$(printf %x $i)"; done; printf '\xfe' >&2"""
    run = await server.run(text)
    assert (tail(run), tail(run, "stderr")) == (bytes(range(256)), b"\xfe")


async def test_a_program_sees_its_own_variables_and_none_of_the_servers(server: BashServer) -> None:
    env = {"OWN": "yes", "TZ": "Europe/Berlin", "KRUNTIMES_ATTEMPT": "99", "KRUNTIMES_ENDPOINT": "mine"}
    run = await server.run("env", uid="u", env=env)
    lines = tail(run).decode().splitlines()
    seen = {line.partition("=")[0]: line.partition("=")[2] for line in lines}
    home = f"{server.workspaces}/u-1"
    want = {"OWN": "yes", "TZ": "Europe/Berlin", "HOME": home, "PWD": home, "KRUNTIMES_ATTEMPT": "1"}
    want |= {"KRUNTIMES_RUN_NAME": "run-u", "KRUNTIMES_RUN_UID": "u", "KRUNTIMES_NAMESPACE": "default"}
    assert {name: seen.get(name) for name in want} == want
    assert seen["KRUNTIMES_OUTPUTS"] == seen["KRUNTIME_OUTPUTS"]
    allowed = {*want, "PATH", "LANG", "TMPDIR", "KRUNTIMES_OUTPUTS", "KRUNTIME_OUTPUTS", "KRUNTIMES_RESULT"}
    assert set(seen) <= allowed | {"MARK", "SHLVL", "_"}
    assert SECRET not in str(lines)


async def test_a_program_holds_no_descriptor_of_ours(server: BashServer) -> None:
    run = await server.run("ls /proc/$$/fd; cat /proc/$PPID/environ")
    assert tail(run) == b"0\n1\n2\n"


async def test_it_works_in_its_workspace_which_is_gone_afterwards(server: BashServer) -> None:
    text = 'pwd; ls; mkdir -p a/b; echo x > a/b/c; echo y > "$TMPDIR/t"; chmod 0 a "$TMPDIR"; echo $TMPDIR'
    run = await server.run(text, files={"data": "1"})
    at, listed, temporary = tail(run).decode().splitlines()
    assert (at, listed) == (f"{server.workspaces}/u-1", "data")
    assert server.state() == []
    assert temporary.startswith(f"{server.workspaces}/.server/")


async def test_nothing_of_a_run_is_found_by_the_next_one_in_its_slot(server: BashServer) -> None:
    leave = 'touch a "$TMPDIR/b"; echo c=d > "$KRUNTIMES_OUTPUTS"; echo 1 > "$KRUNTIMES_RESULT"'
    text = f'ls -AR "$HOME" "$TMPDIR" | grep -v :; cat "$KRUNTIMES_OUTPUTS" "$KRUNTIMES_RESULT"; {leave}'
    for number in range(12):
        run = await server.run(text, uid=f"u{number}")
        assert (tail(run), dict(run.result.outputs)) == (b"\n", {"c": "d"})


async def test_a_run_without_a_workspace_gets_one_of_its_own(server: BashServer) -> None:
    runs = [await server.run("pwd; ls -A; touch x", uid=uid, workspace=None) for uid in ("a", "b")]
    for run in runs:
        lines = tail(run).decode().splitlines()
        assert (run.state, len(lines)) == (SUCCEEDED, 1)
        assert lines[0].startswith(f"{server.workspaces}/.server/")


async def test_named_outputs_arrive(server: BashServer) -> None:
    run = await server.run('echo a=1 >> "$KRUNTIMES_OUTPUTS"; printf "b=x=y z\n\na=2" >> "$KRUNTIME_OUTPUTS"')
    assert dict(run.result.outputs) == {"a": "2", "b": "x=y z"}
    moved = await server.run('echo c=3 > t && mv t "$KRUNTIMES_OUTPUTS"; exit 7', uid="v")
    assert (moved.result.exit.code, dict(moved.result.outputs)) == (7, {"c": "3"})


async def test_a_value_arrives_as_it_was_written(server: BashServer) -> None:
    run = await server.run('echo \'{"n": 9007199254740993, "none": null}\' > "$KRUNTIMES_RESULT"')
    value = run.result.value
    assert (run.state, value.content_type) == (SUCCEEDED, "application/json")
    assert value.inline == b'{"n": 9007199254740993, "none": null}'
    without = await server.run("true", uid="v")
    assert (without.state, without.result.HasField("value")) == (SUCCEEDED, False)
    removed = await server.run('rm "$KRUNTIMES_RESULT"', uid="w")
    assert (removed.state, removed.result.HasField("value")) == (SUCCEEDED, False)


BAD = {
    "no name": ('echo hello > "$F"', "OUTPUTS_INVALID", "RESULT_INVALID"),
    "a link": ('ln -sf /etc/hostname "$F"', "OUTPUTS_INVALID", "RESULT_INVALID"),
    "a hard link": (
        'ln -f /etc/hostname "$F" || ln -sf /x "$F"',
        "OUTPUTS_INVALID",
        "RESULT_INVALID",
    ),
    "a fifo": ('rm "$F"; mkfifo "$F"', "OUTPUTS_INVALID", "RESULT_INVALID"),
    "a directory": ('rm "$F"; mkdir "$F"', "OUTPUTS_INVALID", "RESULT_INVALID"),
    "a linked directory": ("d=${F%/*}; mv $d ./d; ln -s $PWD/d $d", "OUTPUTS_INVALID", "OUTPUTS_INVALID"),
    "too much": ('head -c 1000000 /dev/zero > "$F"', "RESULT_TOO_LARGE", "RESULT_TOO_LARGE"),
    "far too much": ('truncate -s 100M "$F"', "RESULT_TOO_LARGE", "RESULT_TOO_LARGE"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_taken(server: BashServer, name: str) -> None:
    text, *reasons = BAD[name]
    for uid, file in enumerate(("OUTPUTS", "RESULT")):
        run = await server.run(f"F=$KRUNTIMES_{file}; {text}", uid=f"a{uid}")
        assert (run.state, run.result.error.reason, dict(run.result.outputs)) == (FAILED, reasons[uid], {})
        assert not run.result.HasField("value")
    # The slot is as good as before, or another took its place.
    after = await server.run("echo still=here > $KRUNTIMES_OUTPUTS; echo 1 > $KRUNTIMES_RESULT", uid="b")
    assert (dict(after.result.outputs), after.result.value.inline) == ({"still": "here"}, b"1")


async def test_links_and_loops_in_a_workspace_are_removed_and_not_followed(server: BashServer) -> None:
    kept = server.directory / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    deep = "for i in {1..300}; do mkdir x; cd x; done"
    plant = f"ln -s {kept} link; mkdir d; ln -s .. d/up; mkfifo d/pipe; {deep}"
    assert (await server.run(plant, uid="a")).state == SUCCEEDED
    swapped = f'cd /; rm -rf "$HOME"; ln -s {kept} "$HOME"; rm -rf "$TMPDIR"; ln -s {kept} "$TMPDIR"'
    assert (await server.run(swapped, uid="b")).state == SUCCEEDED
    assert (server.state(), (kept / "file").read_text()) == ([], "kept")


@pytest.mark.parametrize("path", ["/etc", "{root}", "{root}/.server", "{root}/../x", "{root}x/y"])
async def test_a_workspace_elsewhere_is_refused(server: BashServer, path: str) -> None:
    workspace = pb.Workspace(path=path.format(root=server.workspaces))
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        await server.start("true", workspace=workspace)


@pytest.mark.parametrize("make", ["link", "missing"])
async def test_a_workspace_that_is_no_directory_fails_and_may_be_tried_again(
    server: BashServer, make: str
) -> None:
    path = server.workspaces / "odd"
    if make == "link":
        (server.directory / "elsewhere").mkdir()
        path.symlink_to(server.directory / "elsewhere")
    run = await server.run("touch mine", workspace=pb.Workspace(path=str(path)))
    assert failure(run) == ("INFRASTRUCTURE", "WORKSPACE_FAILED", "RETRY")
    assert not list(server.directory.glob("elsewhere/*"))


async def test_a_slow_run_does_not_hold_up_the_others(server: BashServer) -> None:
    await server.start("exec sleep 1000", uid="slow")
    ends = await asyncio.gather(*(server.run("true", uid=f"u{n}") for n in range(3)))
    assert [run.state for run in ends] == [SUCCEEDED] * 3
    await server.client.forget("slow", stop=True)


async def test_no_more_runs_than_slots(server: BashServer) -> None:
    for number in range(4):
        await server.start("exec sleep 1000", uid=f"u{number}", resources=None)
    with refused("RESOURCE_EXHAUSTED", "SERVER_FULL"):
        await server.start("true", uid="more", resources=None)
    for number in range(4):
        await server.client.forget(f"u{number}", stop=True)
    run = await server.run("echo room", uid="after")
    assert (tail(run), size(run)) == (b"room\n", 5)


async def test_slots_are_there_before_the_first_run_and_are_used_again(server: BashServer) -> None:
    async def all_there() -> list[int] | None:
        slots = server.slots()
        return slots if len(slots) == 4 else None

    before = await eventually(all_there)
    for number in range(8):
        assert (await server.run("true", uid=f"u{number}")).state == SUCCEEDED
    assert sorted(server.slots()) == sorted(before)
