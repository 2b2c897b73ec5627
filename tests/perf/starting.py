"""How long a person waits for krt itself: `python -m tests.perf.starting KUBECONFIG`; a pool must be warm."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.perf.figures import Figure, Report
from tests.perf.processes import machine

COUNT = 21
KRT = str(Path(sys.executable).with_name("krt"))
PASS = (sys.executable, "-c", "pass")
# Measured from inside: how long the interpreter takes to start is not the import's affair.
IMPORT = """
import time
began = time.perf_counter()
import kruntimes
print((time.perf_counter() - began) * 1000)
"""


def starting(kubeconfig: Path, count: int = COUNT) -> list[Figure]:
    """Measure what starts by turns, so that a busy moment of the machine meets all of them."""
    run = (KRT, "run", "--kubeconfig", str(kubeconfig), "-o", "json", "--", "true")
    measures: dict[str, Callable[[], float]] = {
        "pass": lambda: _timed(PASS)[0],
        "version": lambda: _timed((KRT, "version"))[0],
        "import": lambda: float(_timed((sys.executable, "-c", IMPORT))[1]),
        "run": lambda: _over_the_run(*_timed(run)),
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(count):
        for name, measure in measures.items():
            found[name].append(measure())
    bare = Figure("python -c pass", "ms", found["pass"])
    return [
        bare,
        Figure("krt version", "ms", found["version"], bare.percentile(50), "ratio < 4"),
        Figure("import kruntimes", "ms", found["import"], expected="p50 < 150"),
        Figure("krt run -- true, over the Run itself", "ms", found["run"], expected="p50 < 400"),
    ]


def _timed(command: Sequence[str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return (time.perf_counter() - began) * 1000, done.stdout


def _over_the_run(took: float, said: str) -> float:
    """Return the ms of a command that its Run does not account for."""
    timings: dict[str, Any] = json.loads(said)["status"]["timings"]
    first, last = (datetime.fromisoformat(timings[moment]) for moment in ("queued", "stored"))
    return took - (last - first).total_seconds() * 1000


if __name__ == "__main__":
    print(Report(machine(), starting(Path(sys.argv[1]))).table())
