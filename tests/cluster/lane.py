"""The lane of the real API server: builds it and runs a program where it leaves nothing; it tests nothing.

The program (pytest, unless `--module NAME` comes first) and all processes it starts live in network, PID and
mount namespaces of their own, with temporary files in memory. When the first of them ends, however it ends,
the kernel ends the others: nothing is left.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kruntimes_core.dev.processes import die_with_parent
from tests.cluster import binaries

# The program that serves the API in place of the embedded server; tests and `krt dev up` look here.
SELECTED = {"KRUNTIMES_DEV_APISERVER": "tests.cluster.apiserver"}
INSIDE = "--inside"
MODULE = "--module"
NAMESPACES = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def own_namespaces() -> list[str]:
    """Return the command that makes the namespaces; empty when this machine does not let us."""
    command = [*NAMESPACES, *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None:
        return []
    return [] if subprocess.run([*command, "true"], capture_output=True).returncode else command


def run(arguments: list[str]) -> int:
    """Build, and run the program in namespaces; returns its exit code."""
    try:
        binaries.build()
    except binaries.CannotBuild as error:
        return refuse(str(error))
    return enter(arguments)


def enter(arguments: list[str]) -> int:
    """Make the namespaces and run the program in them; returns its exit code."""
    command = own_namespaces()
    if not command:
        return refuse("this user may not make namespaces with `unshare`; be root, or allow user namespaces")
    # Short, since sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="kr-") as folder:
        inside = [sys.executable, "-m", "tests.cluster.lane", INSIDE, folder, *arguments]
        # Nothing may stay when this is killed; it is one thread, and what is called takes no lock.
        dying = die_with_parent(signal.SIGKILL)
        with subprocess.Popen([*command, *inside], preexec_fn=dying) as process:  # noqa: PLW1509
            # Ctrl-C reaches pytest by itself, and what it ends with counts.
            signal.signal(signal.SIGINT, lambda *_: None)
            return process.wait()


def refuse(why: str) -> int:
    """Say loudly that nothing was tested; where a machine judges, that is a failure."""
    print(f"\n*** NOT TESTED against the real API server: {why} ***\n", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


def lead(folder: Path, arguments: list[str]) -> int:
    """Be the first process of the namespaces: prepare them, run the program, bury who lost his parent."""
    signal.signal(signal.SIGINT, lambda *_: None)
    bring_loopback_up()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "kruntimes-tests", str(folder)], check=True)
    child = subprocess.Popen([sys.executable, "-m", *program(arguments)], env=environment(folder))
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status)


def program(arguments: list[str]) -> list[str]:
    """Return the module to run and its arguments."""
    return arguments[1:] if arguments[:1] == [MODULE] else ["pytest", *arguments]


def bring_loopback_up() -> None:
    """Give the new network its one address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def environment(folder: Path) -> Mapping[str, str]:
    """Return the environment of the tests: ours, with the real server and the memory as their place."""
    return {**os.environ, **SELECTED, "TMPDIR": str(folder)}


def main() -> int:
    """Run a program with the given arguments against the real API server."""
    arguments = sys.argv[1:]
    if arguments[:1] == [INSIDE]:
        return lead(Path(arguments[1]), arguments[2:])
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
