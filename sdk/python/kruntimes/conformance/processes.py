"""Processes of this machine that bear a mark, and commands of hooks. Ends no process but a hook's own."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HOOK_SECONDS: Final = 60.0


class HookFailed(Exception):
    """A hook's command did not end with code 0 in time."""


def bearing(mark: str) -> list[str]:
    """A line 'PID COMMAND LINE' for each process with `mark` in its environment, as far as we may look."""
    wanted = mark.encode()
    lines = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if wanted in Path("/proc", name, "environ").read_bytes():
                argv = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ")
                lines.append(f"{name} {argv.decode(errors='replace').strip()}")
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return lines


async def run_hook(command: str, variables: Mapping[str, str]) -> str:
    """What a hook printed. Raises HookFailed."""
    process = await asyncio.create_subprocess_shell(
        command, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(HOOK_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise HookFailed(f"the hook `{command}` had not ended after {HOOK_SECONDS:.0f} s") from None
    if process.returncode != 0:
        raise HookFailed(f"the hook `{command}` ended with code {process.returncode}")
    return printed.decode(errors="replace")
