"""The programs of a real cluster, built from Go modules into a cache outside the clone; starts none."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("go.mod", "go.sum", "main.go")
ONE = "cluster"
# The compiler has memory enough to collect its garbage less often: a tenth of the time.
SETTINGS = {"CGO_ENABLED": "0", "GOGC": "400"}
FLAGS = ("-trimpath", "-buildvcs=false")


class CannotBuild(Exception):
    """There is no Go here, or it has failed; the message says what to do."""


def kubernetes_version() -> str:
    """Return the version that go.mod pins, which is also what the programs say of themselves."""
    found = re.search(r"k8s\.io/kubernetes (v[0-9.]+)", (HERE / "go.mod").read_text())
    assert found is not None
    return found[1]


def linker_flags() -> str:
    """Return the flags that strip the program and tell it its version."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    named = (f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())
    return " ".join(["-s", "-w", *named])


def cache() -> Path:
    """Return the directory of all builds."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kruntimes" / "cluster"


def place() -> Path:
    """Return where the build of these sources is, or will be: they and the flags make its name."""
    mark = hashlib.sha256(repr((SETTINGS, FLAGS, linker_flags(), names())).encode())
    for source in SOURCES:
        mark.update((HERE / source).read_bytes())
    return cache() / mark.hexdigest()[:16]


def names() -> list[str]:
    """Return the names that main.go answers to."""
    return re.findall(r'^\t"([a-z-]+)": ', (HERE / "main.go").read_text(), re.MULTILINE)


def build() -> Path:
    """Return the directory with the programs; builds them when it is not there yet."""
    target = place()
    if target.is_dir():
        return target
    go = shutil.which("go")
    if go is None:
        raise CannotBuild("there is no `go` in PATH; install Go 1.26 or newer (https://go.dev/dl)")
    cache().mkdir(parents=True, exist_ok=True)
    with alone():
        if not target.is_dir():
            compile_into(target, go)
    return target


@contextmanager
def alone() -> Iterator[None]:
    """Let one builder in at a time; the others find its work done."""
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_into(target: Path, go: str) -> None:
    """Build beside the target and move it there whole, so that nobody meets half of it."""
    version = kubernetes_version()
    say(f"building Kubernetes {version} from its Go modules; the first time takes about ten minutes")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-", ignore_cleanup_errors=True) as fresh:
        command = [go, "build", *FLAGS, "-ldflags", linker_flags(), "-o", f"{fresh}/{ONE}", "."]
        done = subprocess.run(command, cwd=HERE, env={**os.environ, **SETTINGS})
        if done.returncode:
            raise CannotBuild(f"`go build` ended with {done.returncode}; what it said is above")
        for name in names():
            (Path(fresh) / name).symlink_to(ONE)
        Path(fresh).chmod(0o755)
        Path(fresh).rename(target)
    say(f"built in {time.monotonic() - began:.0f} s into {target}")


def say(text: str) -> None:
    """Tell a person, not the reader of the output."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Build, and print where the programs are."""
    try:
        print(build())
    except CannotBuild as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
