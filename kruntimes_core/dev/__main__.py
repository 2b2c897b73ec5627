"""The dev process's command line; started by `krt dev up` and by nobody else."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from kruntimes_core.dev.api_start import StartError
from kruntimes_core.dev.control_plane import ControlPlane, Options
from kruntimes_core.dev.defaults import NAMES, Defaults, PoolSize
from kruntimes_core.dev.layout import layout_of
from kruntimes_core.dev.leftovers import LeftoverError
from kruntimes_core.dev.ownlock import AlreadyRunningError, take_lock
from kruntimes_core.dev.reports import Reports, Topic


def main() -> int:
    """Run one embedded control plane until it is told to end."""
    parser = argparse.ArgumentParser(prog="kruntimes-dev")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sockets", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--runtimes", default=",".join(NAMES))
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--report-to", type=int)
    given = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    layout, reports = layout_of(given.data, given.sockets), Reports(given.report_to)
    names = tuple(filter(None, given.runtimes.split(",")))
    options = Options(given.port, Defaults(names, PoolSize(given.replicas, given.slots)))
    try:
        with take_lock(layout) as lock:
            asyncio.run(ControlPlane(layout, lock, options, reports).run())
    except (AlreadyRunningError, StartError, LeftoverError, PermissionError) as error:
        reports.say(Topic.FAILED, str(error))
        logging.getLogger("kruntimes").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
