"""The daemon's command line: serves a member, or with `drain` empties it; has no rule of its own."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping

from kruntimes.kubeconfig import KubeconfigError, for_program

from kruntimes_core.apps.daemon.drain import drain
from kruntimes_core.apps.daemon.program import serve
from kruntimes_core.apps.daemon.settings import BadSetting, read_settings
from kruntimes_core.settings import SettingRefused, from_environment
from kruntimes_core.telemetry import set_up_logging

log = logging.getLogger(__name__)


async def _serve(env: Mapping[str, str]) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await serve(read_settings(env), for_program(env), stopping)
    return 0


def main() -> int:
    """Run until told to stop; the exit code is 2 for a setting that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m kruntimes_core.apps.daemon", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve", "drain"], default="serve")
    command = parser.parse_args().command
    act = drain if command == "drain" else _serve
    try:
        set_up_logging("kruntimes-daemon", from_environment().log_level)
        return asyncio.run(act(os.environ))
    except (BadSetting, SettingRefused, KubeconfigError) as error:
        sys.stderr.write(f"kruntimes-daemon: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
