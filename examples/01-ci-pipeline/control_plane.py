"""The embedded control plane on throw-away data, by the commands a user would type; it knows no Run."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from leftovers import surroundings

KRT: Final = str(Path(sys.executable).parent / "krt")
PATIENCE: Final = 60.0


class NotUp(Exception):
    """It did not come up, or not down."""


@contextmanager
def control_plane(folder: Path) -> Iterator[Path]:
    """Start it inside `folder`, with a pool of two members; give its kubeconfig; take it all down again."""
    data, environment = folder / "data", surroundings(folder)

    def krt(*arguments: str) -> None:
        command = [KRT, *arguments, "--data", str(data)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if done.returncode != 0:
            raise NotUp(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    try:
        krt("dev", "up", "--detach", "--runtimes", "bash", "--replicas", "2", "--slots", "4")
        yield data / "kubeconfig"
    except BaseException:
        show_logs(data)
        raise
    finally:
        krt("dev", "down")


def show_logs(data: Path) -> None:
    """Print the end of every log, since the data is about to go."""
    for log in sorted(data.rglob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        if lines:
            print(f"--- {log.relative_to(data)}", *lines, sep="\n", file=sys.stderr)
