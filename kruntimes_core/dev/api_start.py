"""The start of the API server: which port it gets, and when it answers; restarts nothing."""

import asyncio
import socket

from kruntimes.kubeconfig import ClusterAccess, KubeconfigError, from_files

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.processes import Process

BOUND_SECONDS = 60.0
POLL_SECONDS = 0.02
LOOPBACK = "127.0.0.1"


class StartError(Exception):
    """The control plane does not start; the message says why and where to read more."""


def choose_port(wanted: int, layout: Layout) -> int:
    """Return the port for the API server: the wanted one, that of the last start, or any that is free."""
    last = int(layout.port.read_text()) if layout.port.exists() else 0
    for port in [wanted] if wanted else [last, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            layout.port.write_text(str(found))
            return found
    raise StartError(f"port {wanted} is taken; choose another with --port, or leave it out")


async def wait_for_api(layout: Layout, process: Process, stop: asyncio.Event) -> ClusterAccess | None:
    """Return the way to the API server once it answers; None when the end was asked for before that."""
    where = layout.log("apiserver")
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            while process.returncode is None and not stop.is_set():
                access = await _try(layout)
                if access is not None:
                    return access
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise StartError(f"the API server did not answer within {BOUND_SECONDS:g} s; see {where}") from error
    if process.returncode is not None and not stop.is_set():
        raise StartError(f"the API server ended with {process.returncode}; see {where}")
    return None


async def _try(layout: Layout) -> ClusterAccess | None:
    from kruntimes_core.kube.client import Client
    from kruntimes_core.kube.errors import ApiError
    from kruntimes_core.kube.kinds import RUNTIME

    if not layout.kubeconfig.exists():
        return None
    try:
        access = from_files([layout.kubeconfig])
        async with Client(access, "kruntimes-dev", timeout=2.0) as client:
            # It may answer before it serves our kinds, and nothing here can do without them.
            await client.list(RUNTIME, limit="1")
    except (ApiError, KubeconfigError):
        return None
    return access
