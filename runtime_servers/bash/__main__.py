"""`python -m runtime_servers.bash`: serves shell commands and scripts where the environment says."""

import asyncio
import logging
import os
import shutil
import sys

from kruntimes.server import serve

from runtime_servers.bash.command import Bash
from runtime_servers.local.leftovers import StateTaken
from runtime_servers.local.server import LocalServer, Settings


async def run(shell: str, settings: Settings) -> None:
    """Serve until SIGTERM, and leave nothing behind."""
    server = LocalServer(Bash(shell), settings, os.environ)
    try:
        await serve(server)
    finally:
        await server.close()


def main() -> None:
    """Find bash, and serve; a sentence and code 1 when that cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    shell = shutil.which("bash")
    if shell is None:
        sys.exit("there is no bash in PATH; install it in the image of this server")
    try:
        asyncio.run(run(shell, Settings.of_environment(os.environ)))
    except (OSError, ValueError, StateTaken) as error:
        sys.exit(f"the bash server cannot serve: {error}")


if __name__ == "__main__":
    main()
