"""The embedded control plane on throw-away data, by the commands a user would type; it knows no Run."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KRT: Final = str(Path(sys.executable).parent / "krt")
HERE: Final = Path(__file__).resolve().parent
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
        krt("dev", "up", "--detach", "--data", str(data), "--port", "0")
        kubeconfig = data / "kubeconfig"
        krt("apply", "--kubeconfig", str(kubeconfig), "-f", str(HERE / "runtime.yaml"))
        wait_for_members(kubeconfig, 2)
        yield kubeconfig
    except BaseException:
        show_logs(data)
        raise
    finally:
        krt("dev", "down", "--data", str(data))


def wait_for_members(kubeconfig: Path, wanted: int) -> None:
    """Return when the pool has that many members that take Runs."""
    deadline = time.monotonic() + PATIENCE
    while True:
        listed = json.loads(krt("get", "runtimes", "--kubeconfig", str(kubeconfig), "-o", "json"))
        ready = [item.get("status", {}).get("readyReplicas", 0) for item in listed["items"]]
        if wanted in ready:
            return
        if time.monotonic() > deadline:
            raise NotUp(
                f"the pool has {ready} ready members after {PATIENCE:.0f} s, and should have {wanted}"
            )
        time.sleep(0.1)


def show_logs(data: Path) -> None:
    """Print the end of every log, since the data is about to go."""
    for log in sorted(data.rglob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        if lines:
            print(f"--- {log.relative_to(data)}", *lines, sep="\n", file=sys.stderr)
