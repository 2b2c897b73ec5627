"""The embedded control plane on throw-away data, by the commands a user would type; it knows no Run."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KRT: Final = str(Path(sys.executable).parent / "krt")
PATIENCE: Final = 60.0


class NotUp(Exception):
    """It did not come up, or not down."""


def krt(*arguments: str) -> str:
    """Run one krt command; its own words explain a failure."""
    done = subprocess.run([KRT, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode != 0:
        raise NotUp(f"krt {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def control_plane(data: Path) -> Iterator[Path]:
    """Start it on `data`, with a pool of two members; give its kubeconfig; take it all down again."""
    try:
        krt("dev", "up", "--detach", "--data", str(data), "--replicas", "2", "--slots", "4")
        yield data / "kubeconfig"
    except BaseException:
        show_logs(data)
        raise
    finally:
        krt("dev", "down", "--data", str(data))


def show_logs(data: Path) -> None:
    """Print the end of every log, since the data is about to go."""
    for log in sorted(data.rglob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        if lines:
            print(f"--- {log.relative_to(data)}", *lines, sep="\n", file=sys.stderr)
