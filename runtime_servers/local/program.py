"""The process of a server of one language, from its environment to its end; knows no language."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping

from kruntimes.server import serve

from runtime_servers.local.command import Language
from runtime_servers.local.leftovers import StateTaken
from runtime_servers.local.server import LocalServer, Settings


class ToolchainMissing(Exception):
    """What a language needs on this machine is not there; the message says what to do."""


def run_server(find: Callable[[Mapping[str, str]], Language]) -> None:
    """Serve the language that `find` finds by the environment; a sentence and code 1 when that cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = Settings.of_environment(os.environ)
        language = find(os.environ)
    except (ValueError, ToolchainMissing) as error:
        sys.exit(f"the server cannot serve: {error}")
    try:
        asyncio.run(_serve(language, settings))
    except (OSError, ValueError, StateTaken) as error:
        sys.exit(f"{language.name} cannot serve: {error}")


async def _serve(language: Language, settings: Settings) -> None:
    """Serve until SIGTERM, and leave nothing behind."""
    server = LocalServer(language, settings, os.environ)
    try:
        await serve(server)
    finally:
        await server.close()
