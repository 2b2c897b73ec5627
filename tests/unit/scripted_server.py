"""A runtime server that says exactly what a test wants, and keeps what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from kruntimes.runtime.v1.runtime_service_pb2_grpc import (
    RuntimeServiceServicer,
    add_RuntimeServiceServicer_to_server,
)

from kruntimes_core.rpc.client import RuntimeClient

Context = grpc.aio.ServicerContext[Any, Any]


class ScriptedServer:
    """Answers each call with the next of its `answers`; the last one is given again and again.

    A code is answered as an error, and a call without any answer as UNIMPLEMENTED. Streams send all there is.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.tokens: set[str] = set()
        self.holds_streams = False
        """Streams stay open, and silent, once they have sent everything."""
        self.called = asyncio.Event()

    @asynccontextmanager
    async def serving(self, directory: Path) -> AsyncIterator[RuntimeClient]:
        """Listen for as long as the block lasts; gives a client."""
        server = grpc.aio.server()
        add_RuntimeServiceServicer_to_server(self._servicer(), server)
        endpoint = f"unix://{directory}/s.sock"
        server.add_insecure_port(endpoint)
        await server.start()
        client = RuntimeClient(endpoint, "secret")
        try:
            yield client
        finally:
            await client.close()
            await server.stop(0)

    def count(self, call: str) -> int:
        """How often a call was made."""
        return sum(1 for name, _ in self.asked if name == call)

    async def until_called(self, call: str, times: int = 1) -> None:
        """Wait until a call was made so often."""
        async with asyncio.timeout(5):
            while self.count(call) < times:
                self.called.clear()
                await self.called.wait()

    def _servicer(self) -> RuntimeServiceServicer:
        streams = ("Watch", "ReadOutput")
        methods = [name for name in vars(RuntimeServiceServicer) if not name.startswith("_")]
        calls = {name: self._stream(name) if name in streams else self._unary(name) for name in methods}
        servicer: RuntimeServiceServicer = type("Servicer", (RuntimeServiceServicer,), calls)()
        return servicer

    def _unary(self, name: str) -> Any:
        async def answer(_: object, request: object, context: Context) -> object:
            self._note(name, request, context)
            answers = self.answers.get(name, [grpc.StatusCode.UNIMPLEMENTED])
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(found, grpc.StatusCode):
                await context.abort(found, "the script says so")
            return found

        return answer

    def _stream(self, name: str) -> Any:
        async def answer(_: object, request: object, context: Context) -> AsyncIterator[object]:
            self._note(name, request, context)
            for found in self.answers.get(name, []):
                if isinstance(found, grpc.StatusCode):
                    await context.abort(found, "the script says so")
                yield found
            if self.holds_streams:
                await asyncio.Event().wait()  # says nothing until the client hangs up

        return answer

    def _note(self, name: str, request: object, context: Context) -> None:
        metadata = context.invocation_metadata() or ()
        self.tokens |= {str(value) for key, value in metadata if key == "authorization"}
        self.asked.append((name, request))
        self.called.set()
