"""The guides work as they are written: every command is typed, and prints what the page shows."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.dev_process import krt
from tests.transcript import matches, read_steps, type_in

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
BOUND = 240.0


@pytest.fixture
def home() -> Iterator[Path]:
    """A person who has nothing yet; whatever happens, nothing of theirs is left running."""
    with tempfile.TemporaryDirectory(prefix="krt-home-") as folder:
        yield Path(folder)
        krt("dev", "reset", env={"HOME": folder, "XDG_DATA_HOME": ""})


def surroundings(home: Path) -> dict[str, str]:
    """The environment of that person: what is installed here, and a home of their own."""
    kept = {key: os.environ[key] for key in ("TMPDIR", "KRUNTIMES_DEV_APISERVER") if key in os.environ}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # What starts a real API server is in this tree and not installed, and its programs are in our own cache.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    ours = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": cache}
    return {**kept, **ours, "PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}


@pytest.mark.parametrize("page", ["README.md", "docs/quick-start.md", "docs/writing-runs.md"])
def test_a_guide_works_as_it_is_written(page: str, home: Path) -> None:
    steps = read_steps((ROOT / page).read_text())
    printed = type_in(steps, home, surroundings(home), BOUND)

    for step, text in zip(steps, printed, strict=True):
        print(f"$ {step.command}\n{text}")
        assert "Traceback (most recent call last)" not in text or "Traceback" in step.expected
        assert matches(step.expected, text), f"$ {step.command}\n{text}\n--- expected\n{step.expected}"
