"""CPU time is told for each kind of process, and grows with what it does."""

import os
import subprocess
import sys

from tests.perf.cpu import per_run, used


def test_what_a_process_computed_is_counted_for_the_nearest_role_above_it() -> None:
    before = used(os.getpid())
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        assert used(os.getpid())["dev"] - before["dev"] >= 0.25
        child.communicate(b"\n")


def test_the_most_expensive_comes_first() -> None:
    assert list(per_run({"a": 1.0}, {"a": 1.5, "b": 2.0}, 100).items()) == [("b", 20.0), ("a", 5.0)]
