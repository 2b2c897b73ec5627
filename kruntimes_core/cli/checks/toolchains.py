"""Which programs there are to run code of each language, and what installs one; it installs nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kruntimes_core.cli.checks.finding import Finding, Level

ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Toolchain:
    """How one is found, how it says its version, and the command that installs it on Debian or Ubuntu."""

    program: str
    version: tuple[str, ...]
    install: str


TOOLCHAINS: Mapping[str, Toolchain] = {
    "bash": Toolchain("bash", ("--version",), "sudo apt-get install bash"),
    "python": Toolchain("python3", ("--version",), "sudo apt-get install python3"),
    "go": Toolchain("go", ("version",), "sudo apt-get install golang-go"),
    "node": Toolchain("node", ("--version",), "sudo apt-get install nodejs"),
    "wasm": Toolchain("wasmtime", ("--version",), "curl https://wasmtime.dev/install.sh -sSf | bash"),
}


def check_toolchains(toolchains: Mapping[str, Toolchain] = TOOLCHAINS) -> Iterator[Finding]:
    """Yield a finding for each language."""
    for language, toolchain in toolchains.items():
        about = f"toolchain {language}"
        path = shutil.which(toolchain.program)
        if path is None:
            seen = f"no {toolchain.program} on the PATH"
            yield Finding(Level.WARN, about, seen, f"to run {language}: {toolchain.install}")
            continue
        said = _version(path, toolchain)
        if said:
            yield Finding(Level.OK, about, f"{path}: {said}")
        else:
            seen = f"{path} is there and does not run"
            yield Finding(Level.WARN, about, seen, f"see what `{path} {toolchain.version[0]}` says")


def _version(path: str, toolchain: Toolchain) -> str:
    """Return the first line it says of itself; nothing when it does not run."""
    try:
        done = subprocess.run(
            (path, *toolchain.version), capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""
