"""What this kernel lets an ordinary process of ours do to keep Runs apart; it restricts nobody."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kruntimes_core.cli.checks.finding import Finding, Level
from kruntimes_core.dev.isolation import WRAPPERS, find_wrapper

# linux/landlock.h and linux/prctl.h; the system call has one number on all architectures.
LANDLOCK_CREATE_RULESET = 444
RULESET_VERSION = 1
SET_SECCOMP, MODE_FILTER = 22, 2
CAPABILITIES = {5: "KILL", 7: "SETUID", 12: "NET_ADMIN", 19: "SYS_PTRACE", 21: "SYS_ADMIN"}
CONTROLLERS = frozenset({"cpu", "memory", "pids"})
KERNEL = "take a newer kernel, or ask who runs this container to allow it"


def check_kernel() -> Iterator[Finding]:
    """Yield a finding for each means of isolation."""
    libc = ctypes.CDLL(None, use_errno=True)
    yield _landlock(libc)
    yield _seccomp(libc)
    yield cgroups(Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text())
    yield _namespaces()
    yield capabilities(Path("/proc/self/status").read_text())


def _landlock(libc: ctypes.CDLL) -> Finding:
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, RULESET_VERSION)
    if version > 0:
        return Finding(Level.OK, "Landlock", f"ABI {version}")
    why = os.strerror(ctypes.get_errno())
    return Finding(Level.WARN, "Landlock", f"not available: {why}", KERNEL)


def _seccomp(libc: ctypes.CDLL) -> Finding:
    # Without a filter to read, a kernel that has filters answers EFAULT and sets none.
    libc.prctl(SET_SECCOMP, MODE_FILTER, None, 0, 0)
    number = ctypes.get_errno()
    if number == errno.EFAULT:
        return Finding(Level.OK, "seccomp", "filters can be set")
    return Finding(Level.WARN, "seccomp", f"no filters: {os.strerror(number)}", KERNEL)


def cgroups(mounts: str, own: str) -> Finding:
    """Return which version of control groups there is, and whether ours may be divided further."""
    found = [line.split()[1:3] for line in mounts.splitlines()]
    unified = next((Path(place) for place, kind in found if kind == "cgroup2"), None)
    group = next((line[3:] for line in own.splitlines() if line.startswith("0::")), None)
    if any(kind == "cgroup" for _, kind in found):
        return _first_version([Path(place) for place, kind in found if kind == "cgroup"])
    if unified is None or group is None:
        return Finding(Level.WARN, "cgroups", "none mounted: no limits on memory and cpu", KERNEL)
    place = unified / group.lstrip("/")
    there = _words(place / "cgroup.controllers")
    if not os.access(place / "cgroup.subtree_control", os.W_OK):
        delegate = "start in a delegated group, e.g. systemd-run --user --scope -p Delegate=yes"
        return Finding(Level.WARN, "cgroups", f"version 2, and {place} is not ours to divide", delegate)
    missing = sorted(CONTROLLERS - there)
    if missing:
        delegate = f"delegate {', '.join(missing)} to {place}"
        return Finding(Level.WARN, "cgroups", f"version 2, delegated without {', '.join(missing)}", delegate)
    return Finding(Level.OK, "cgroups", f"version 2, delegated: {', '.join(sorted(there))}")


def _first_version(places: list[Path]) -> Finding:
    ours = sorted(place.name for place in places if os.access(place, os.W_OK))
    seen = f"version 1, writable: {', '.join(ours) or 'none'}"
    return Finding(Level.WARN, "cgroups", seen, "boot with systemd.unified_cgroup_hierarchy=1 for version 2")


def _words(file: Path) -> frozenset[str]:
    try:
        return frozenset(file.read_text().split())
    except OSError:
        return frozenset()


def _namespaces() -> Finding:
    wrapper = find_wrapper()
    if not wrapper:
        todo = "install util-linux, and allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
        return Finding(Level.WARN, "PID namespaces", "none could be made", todo)
    how = "as we are" if wrapper == WRAPPERS[0] else "within a user namespace"
    return Finding(Level.OK, "PID namespaces", f"can be made {how}")


def capabilities(status: str) -> Finding:
    """Return which of the capabilities that matter here a process has; none are needed."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    mask = int(line.split()[1], 16)
    held = [name for bit, name in CAPABILITIES.items() if mask >> bit & 1]
    return Finding(Level.OK, "capabilities", ", ".join(held) or "none, and none are needed")
