"""The python server: what runs, its value, its exception, and that no program can spoil either for others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc
from kruntimes.runtime.v1 import types_pb2 as pb

from tests.integration.bash_server import BashServer, bash_server, own_directory, tail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

SUCCEEDED = pb.RUN_STATE_SUCCEEDED
FAILED = pb.RUN_STATE_FAILED
MIB = 1 << 20
PATH = "import os\ndef f():\n    p = os.environ['KRUNTIMES_RESULT']\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[BashServer]:
    with own_directory() as directory:
        async with bash_server(directory, language="python") as server:
            yield server


@pytest.fixture
def uid(request: pytest.FixtureRequest) -> str:
    """A UID of this test alone, since all share a server."""
    return f"u{abs(hash(request.node.nodeid))}"


async def run(server: BashServer, uid: str, source: str | None = None, *args: str, **spec: Any) -> pb.Run:
    files = {} if source is None else {"source": source}
    return await server.run(*args, uid=uid, files={**files, **spec.pop("files", {})}, **spec)


PROGRAMS: dict[str, tuple[str | None, tuple[str, ...], dict[str, Any], bytes]] = {
    "arguments of the interpreter": (None, ("-c", "print(1)"), {}, b"1\n"),
    "a file of the workspace": (
        None,
        ("a.py", "x"),
        {"files": {"a.py": "import sys; print(sys.argv)"}},
        b"['a.py', 'x']\n",
    ),
    "a source": ("import sys; print(sys.argv[1:], __name__)", ("-x", "y z"), {}, b"['-x', 'y z'] __main__\n"),
    "a file by entrypoint": (None, (), {"files": {"-n": "print('dash')"}, "entrypoint": "-n"}, b"dash\n"),
    "a module beside the source": ("import m; print(m.x)", (), {"files": {"m.py": "x = 3"}}, b"3\n"),
    "PYTHONPATH": (
        "import m; print(m.x)",
        (),
        {"files": {"m.py": "x = 3"}, "env": {"PYTHONPATH": "/nowhere"}},
        b"3\n",
    ),
    "what it holds": (
        "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:4])",
        (),
        {},
        b"[0, 1, 2, 3]\n",
    ),
    "what its children hold": (
        (
            "from subprocess import run\n"
            "print(run(['ls', '/proc/self/fd'], close_fds=False, capture_output=True).stdout)"
        ),
        (),
        {},
        b"b'0\\n1\\n2\\n3\\n'\n",
    ),
}


@pytest.mark.parametrize(("source", "args", "spec", "want"), PROGRAMS.values(), ids=PROGRAMS)
async def test_what_runs(
    server: BashServer, uid: str, source: str | None, args: tuple[str, ...], spec: dict[str, Any], want: bytes
) -> None:
    ended = await run(server, uid, source, *args, **spec)
    assert (ended.state, tail(ended), tail(ended, "stderr")) == (SUCCEEDED, want, b"")


CALLS: dict[str, tuple[str, tuple[str, ...], bytes]] = {
    "a function": ("def f(*a): return {'a': a}", ("1", "2"), b'{"a": ["1", "2"]}'),
    "nothing": ("def f(): pass", (), b"null"),
    "an async one": ("async def f(x): return x", ("y",), b'"y"'),
    "what is not called": ("def f(): return 1\nif __name__ == '__main__': 1 / 0", (), b"1"),
}


@pytest.mark.parametrize(("source", "args", "want"), CALLS.values(), ids=CALLS)
async def test_what_a_function_returns_is_the_value(
    server: BashServer, uid: str, source: str, args: tuple[str, ...], want: bytes
) -> None:
    ended = await run(server, uid, source, *args, entrypoint=":f")
    assert (ended.state, ended.result.value.content_type) == (SUCCEEDED, "application/json")
    assert ended.result.value.inline == want


FAILURES: dict[str, tuple[str, str, tuple[str, str, str], str]] = {
    "an exception": (
        "raise ValueError('no')",
        "",
        ("UNCAUGHT_EXCEPTION", "ValueError", "no"),
        "ValueError: no\n",
    ),
    "a group": (
        "raise ExceptionGroup('all', [ValueError(1)])",
        "",
        ("UNCAUGHT_EXCEPTION", "ExceptionGroup", "all (1 sub-exception)"),
        "ValueError: 1",
    ),
    "a recursion without end": (
        "def f(): f()\nf()",
        "",
        ("UNCAUGHT_EXCEPTION", "RecursionError", "maximum recursion depth exceeded"),
        "RecursionError",
    ),
    "no text to it": (
        "class E(Exception):\n    def __str__(self): raise self\nraise E",
        "",
        ("UNCAUGHT_EXCEPTION", "E", "<its message cannot be had: str() of it fails>"),
        "E",
    ),
    "half a character": (
        "raise ValueError('\\udc80')",
        "",
        ("UNCAUGHT_EXCEPTION", "ValueError", "\ufffd"),
        "ValueError",
    ),
    "no JSON": (
        "def f(): return {1}",
        ":f",
        ("UNCAUGHT_EXCEPTION", "TypeError", "the value is of type set"),
        "TypeError",
    ),
    "a source that does not load": (
        "def (",
        "",
        ("SOURCE_INVALID", "SyntaxError", "Python cannot run the source: SyntaxError: invalid syntax"),
        "def (",
    ),
    "no such function": ("", ":f", ("SOURCE_INVALID", "NoFunction", "no function 'f' in 'source'"), ""),
    "an exit with text": ("raise SystemExit('text')", "", ("NON_ZERO_EXIT", "", ""), ""),
    "an exit of a child's exception": (
        "import os\nif not os.fork(): 1 / 0\nos.wait(); raise SystemExit(1)",
        "",
        ("NON_ZERO_EXIT", "", ""),
        "",
    ),
    "an exit in atexit": (
        "import atexit, os; atexit.register(os._exit, 9); raise ValueError('no')",
        "",
        ("UNCAUGHT_EXCEPTION", "ValueError", "no"),
        "ValueError",
    ),
    "an interrupt": ("raise KeyboardInterrupt", "", ("KILLED_BY_SIGNAL", "", "Signal 2"), ""),
    "a note of its own making": (
        "import os; os.write(3, b'[' * 99999); os._exit(4)",
        "",
        ("NON_ZERO_EXIT", "", ""),
        "",
    ),
    "a note without end": (
        f"import os\nfor _ in range(20): os.write(3, b'x' * {MIB})\nos._exit(4)",
        "",
        ("NON_ZERO_EXIT", "", ""),
        "",
    ),
    "too large a value": (
        f"def f(): return 'x' * {100 * MIB}",
        ":f",
        ("RESULT_TOO_LARGE", "", "more than 16384"),
        "",
    ),
    "a directory for a value": (
        f"{PATH}    os.unlink(p); os.mkdir(p)",
        ":f",
        ("UNCAUGHT_EXCEPTION", "IsADirectoryError", "Is a directory"),
        "IsADirectoryError",
    ),
    "a link for a value": (
        f"{PATH}    os.unlink(p); os.symlink('/dev/null', p)",
        ":f",
        ("RESULT_INVALID", "", "no plain file"),
        "",
    ),
}


@pytest.mark.parametrize(("source", "entrypoint", "want", "trace"), FAILURES.values(), ids=FAILURES)
async def test_how_it_fails(
    server: BashServer, uid: str, source: str, entrypoint: str, want: tuple[str, str, str], trace: str
) -> None:
    ended = await run(server, uid, source, entrypoint=entrypoint)
    error = ended.result.error
    assert (ended.state, error.reason, error.exception_type) == (FAILED, *want[:2]), error
    assert want[2] in error.message
    assert trace in error.trace
    assert "runner.py" not in error.trace
    assert not ended.result.HasField("value")
    if error.reason == "SOURCE_INVALID":
        assert (error.kind, error.retry) == (pb.ERROR_KIND_USER_INPUT, pb.RETRY_ADVICE_NEVER)


async def test_a_giant_trace_keeps_its_end(server: BashServer, uid: str) -> None:
    ended = await run(server, uid, f"raise ValueError('a' * {5 * MIB} + 'z')")
    error = ended.result.error
    assert (len(error.message), len(error.trace), error.trace[-2:]) == (4096, 8192, "z\n")


async def test_output_comes_while_it_runs(server: BashServer, uid: str) -> None:
    source = "import time; print('begun'); open('there', 'w').write('yes\\n'); time.sleep(60)"
    await server.start(uid=uid, files={"source": source})
    await server.wait_for(uid, "there")
    await server.client.cancel(uid, grace=5)
    ended = await server.client.ended(uid)
    assert (ended.state, tail(ended)) == (pb.RUN_STATE_CANCELLED, b"begun\n")


async def test_it_says_which_python_it_has(server: BashServer) -> None:
    hello = await server.client.call("Handshake", rpc.HandshakeRequest(client="test"))
    assert hello.server == "io.kruntimes.python"
    assert "Python 3." in hello.server_version
    assert hello.capabilities.workload.result_value
