"""A file run by our runner behaves as one run by Python itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_servers.python import runner

pytestmark = pytest.mark.integration

BOUND = 60.0
# How deep a recursion goes depends on who called first.
DEPTH = re.compile(r"repeated \d+ more times")
PROGRAMS = {
    "what it sees": "import sys; print(__file__, sys.argv, sys.path[0], __name__, __spec__, sys.flags)",
    "the module it is": "import __main__; print(__main__.__file__, __main__.__dict__ is globals())",
    "a module beside it": "import beside; print(beside.__file__)",
    "a module of PYTHONPATH": "import elsewhere; print(elsewhere.__file__)",
    "an exception": "def f():\n    raise ValueError('no')\nf()",
    "a cause": "try:\n    1 / 0\nexcept Exception as error:\n    raise KeyError(1) from error",
    "a group": "raise ExceptionGroup('all', [ValueError(1), OSError(2)])",
    "a recursion without end": "import sys; sys.setrecursionlimit(99)\ndef f(): f()\nf()",
    "a syntax error": "def (",
    "a syntax error in a module": "import broken",
    "an exit with text": "raise SystemExit('text')",
    "an exit with a number": "import sys; sys.exit(7)",
    "an exit with nothing": "import sys; print('out'); sys.exit()",
    "an exit at once": "import os; os._exit(5)",
    "an exit in atexit": "import atexit, os; atexit.register(os._exit, 9); raise ValueError",
    "an interrupt": "raise KeyboardInterrupt",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "a hook of its own": "import sys; sys.excepthook = lambda *e: print('own', e[1])\nraise ValueError('no')",
    "a thread that goes on": (
        "from threading import Thread, main_thread\n"
        "Thread(target=lambda: (main_thread().join(), print('late'))).start()\nraise ValueError"
    ),
    "children by spawn": (
        "import multiprocessing as m\ndef f(x): return x * 2\n"
        "if __name__ == '__main__':\n    with m.get_context('spawn').Pool(1) as p: print(p.map(f, [1, 2]))"
    ),
    "a class pickled": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "a warning": "import warnings; warnings.warn('careful')",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "elsewhere.py").write_text("")
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "broken.py").write_text("def (")
    return tmp_path


def run(folder: Path, *argv: str) -> tuple[int, str, str]:
    environment = {"PATH": os.defpath, "PYTHONPATH": "elsewhere", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND
    )
    return done.returncode, done.stdout, DEPTH.sub("repeated", done.stderr)


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_it_behaves_as_with_python_alone(folder: Path, text: str) -> None:
    (folder / "program").write_text(text)
    assert run(folder, runner.__file__, "", "program", "a b") == run(folder, "program", "a b")


def test_a_hook_that_fails_hides_nothing(folder: Path) -> None:
    (folder / "program").write_text("import sys; sys.excepthook = lambda *e: 1 / 0\nraise ValueError('no')")
    code, _, errors = run(folder, runner.__file__, "", "program")
    assert code == 1
    assert "ZeroDivisionError" in errors
    assert "ValueError: no" in errors
