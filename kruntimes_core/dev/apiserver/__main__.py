"""The program: the API server on loopback, until it is told to stop; it never decides anything itself."""

import argparse
import asyncio
import logging
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from kruntimes_core.clock import SystemClock
from kruntimes_core.dev.apiserver import certificates
from kruntimes_core.dev.apiserver.errors import MAX_BODY
from kruntimes_core.dev.apiserver.plane import Plane
from kruntimes_core.dev.apiserver.server import Front
from kruntimes_core.dev.crds import load_crds

log = logging.getLogger(__name__)
_KEEPALIVE = 3600.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kruntimes_core.dev.apiserver", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="where state.db, ca/ and kubeconfig are kept"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--crds", type=Path, help="directory of the CRDs to make sure of")
    return parser.parse_args()


def _tls(identity: certificates.Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


async def _serve(arguments: argparse.Namespace) -> int:
    data: Path = arguments.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = SystemClock()
    identity = certificates.load_or_make(data, clock.now().wall)
    stop = asyncio.Event()
    failures: list[Exception] = []

    def fail(error: Exception) -> None:
        failures.append(error)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    plane = Plane(data, clock, fail)
    await plane.prepare(load_crds(arguments.crds))
    runner, address = await _listen(
        arguments.port, identity, Front(plane.registry, plane.handlers, identity.token)
    )
    certificates.write_kubeconfig(data, identity, address)
    sys.stdout.write(f"ready {address}\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as tasks:
        loops = [tasks.create_task(part.run()) for part in (plane.teardown, plane.events)]
        await stop.wait()
        for task in loops:
            task.cancel()
    plane.hub.end_all()
    await runner.cleanup()
    plane.close()
    for error in failures:
        log.error("stopped: the state could not be written: %s", error)
    return 1 if failures else 0


async def _listen(port: int, identity: certificates.Identity, front: Front) -> tuple[web.ServerRunner, str]:
    """Open the one socket; returns its owner and its address."""
    # A watch ends when its client leaves; a write that was submitted is made all the same.
    server = web.Server(
        front,
        request_factory=_request,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=_KEEPALIVE,
    )
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=_tls(identity), shutdown_timeout=2)
    await site.start()
    return runner, f"https://127.0.0.1:{runner.addresses[0][1]}"


def main() -> int:
    """Run until a signal."""
    os.umask(0o077)  # the state holds Secrets: nobody else reads it, whoever made the directory
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    return asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    sys.exit(main())
