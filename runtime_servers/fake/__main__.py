"""`python -m runtime_servers.fake`: serves the fake server where the environment says."""

import argparse
import asyncio
import json
import logging
from collections.abc import Mapping

from kruntimes.server import serve

from runtime_servers.fake.server import FakeServer

DEFAULT_CAPACITY: Mapping[str, int] = {"runs": 64, "cpu": 64_000, "memory": 64 << 30}


def main() -> None:
    """Read the capacity and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m runtime_servers.fake", description=__doc__)
    parser.add_argument(
        "--capacity",
        type=json.loads,
        default=DEFAULT_CAPACITY,
        help="JSON object: resource name to amount in base units (millicores, bytes, count)",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(FakeServer(arguments.capacity)))


if __name__ == "__main__":
    main()
