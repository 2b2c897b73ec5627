"""From a RuntimeServer to a process: endpoint, health, signals, drain, exit. Knows no Run."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kruntimes.runtime.v1.runtime_service_pb2_grpc import add_RuntimeServiceServicer_to_server
from kruntimes.server.auth import Door, read_token
from kruntimes.server.author import RuntimeServer
from kruntimes.server.host import Host
from kruntimes.server.place import RESERVE_SECONDS, Place
from kruntimes.server.service import SERVICE, RuntimeService
from kruntimes.server.spool import Spool

log = logging.getLogger(__name__)

# What closing takes at most, out of the end of the grace.
CLOSE_SECONDS = 1.0

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def serve(server: RuntimeServer, place: Place | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain; return when every Run is forgotten or the grace is over.

    `place` defaults to the environment. Raises OSError when the endpoint cannot be had, TimeoutError and
    ValueError for a token file that is missing or empty.
    """
    place = place or Place.of_environment(os.environ)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with contextlib.AsyncExitStack() as stack:
            opening = asyncio.create_task(stack.enter_async_context(serving(server, place)))
            host = await _unless(stopping, opening)
            if host is not None:
                await stopping.wait()
                await _drain(host, place.grace)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def serving(server: RuntimeServer, place: Place) -> AsyncIterator[Host]:
    """The server at its place for as long as the block runs; what is still running then is killed."""
    spool = Spool.open(place.spool)
    host = Host(server, spool)
    try:
        door = Door(await read_token(place.token_file))
        listener = grpc.aio.server()
        health_servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, listener)
        await health_servicer.set("", _SERVING)
        await health_servicer.set(SERVICE, _SERVING)
        add_RuntimeServiceServicer_to_server(RuntimeService(host, server.description, door), listener)
        place.bind(listener)
        await listener.start()
        log.info("%s serves at %s as instance %s", server.description.name, place.endpoint, host.instance)
        tell = asyncio.create_task(_tell_draining(host, health_servicer))
        try:
            yield host
        finally:
            tell.cancel()
            await asyncio.gather(tell, return_exceptions=True)
            host.end_streams()
            await listener.stop(CLOSE_SECONDS / 2)
            place.leave()
    finally:
        await host.close(CLOSE_SECONDS / 2)
        await server.close()
        spool.close()


async def _unless(stopping: asyncio.Event, opening: asyncio.Task[Host]) -> Host | None:
    """The open host, or None if the process was told to stop before: the token may be long in coming."""
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({opening, told}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            return opening.result()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return None
    finally:
        told.cancel()


async def _tell_draining(host: Host, servicer: health.aio.HealthServicer) -> None:
    await host.draining.wait()
    await servicer.set(SERVICE, _NOT_SERVING)


async def _drain(host: Host, grace: float) -> None:
    host.drain(max(0.0, grace - RESERVE_SECONDS))
    try:
        async with asyncio.timeout(max(0.0, grace - CLOSE_SECONDS)):
            await host.empty.wait()
    except TimeoutError:
        log.warning(
            "%d Runs were not forgotten within the grace; their results go with this process", len(host.book)
        )
