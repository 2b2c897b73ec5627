"""A whole runtime server: a Run's source is a text, and the server counts its words; it starts no process."""

import asyncio
import json
import logging

from kruntimes.runtime.v1.capabilities_pb2 import (
    SOURCE_KIND_INLINE,
    SOURCE_KIND_WORKSPACE,
    Capabilities,
    SchedulingCapability,
    WorkloadCapability,
)
from kruntimes.runtime.v1.types_pb2 import (
    RESOURCE_ENFORCEMENT_ACCOUNTED,
    RESOURCE_UNIT_COUNT,
    ResourceDescriptor,
    RunSpec,
)
from kruntimes.server import STDOUT, Description, End, Execution, LoadFailure, StartedRun, serve

SETTINGS = {
    "properties": {"seconds_per_line": {"type": "number", "minimum": 0}},
    "additionalProperties": False,
}
PLACES = ResourceDescriptor(name="runs", unit=RESOURCE_UNIT_COUNT, enforcement=RESOURCE_ENFORCEMENT_ACCOUNTED)


class WordCounter:
    """What an author gives: a description, a check, a start. The kit gives everything else."""

    description = Description(
        name="example.kruntimes.counter",
        version="1.0",
        capabilities=Capabilities(
            scheduling=SchedulingCapability(resources=[PLACES]),
            workload=WorkloadCapability(task=True, sources=[SOURCE_KIND_INLINE, SOURCE_KIND_WORKSPACE]),
        ),
        capacity={"runs": 4},
        parameters_schema=json.dumps(SETTINGS),
    )

    def configure(self, config: object) -> None:
        """This server has no settings."""

    def check(self, spec: RunSpec) -> None:
        """Every spec that the kit lets through can run here."""

    async def start(self, run: StartedRun) -> Execution:
        """Load the program; from here on the Run is ours until `wait` returns."""
        settings = json.loads(run.spec.parameters_json or "{}")
        return Counting(run, text_of(run.spec), settings.get("seconds_per_line", 0))

    async def close(self) -> None:
        """Nothing is held."""


class Counting:
    """One Run under way."""

    def __init__(self, run: StartedRun, text: str, pause: float) -> None:
        self._run = run
        self._text = text
        self._pause = pause
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End soon; a server of programs would send SIGTERM to the whole tree."""
        self._stopped.set()

    def kill(self) -> None:
        """End now."""
        self._stopped.set()

    async def wait(self) -> End:
        """Do the work, slowly enough to be cancelled: one line at a time."""
        self._run.running()
        words = 0
        for line in self._text.splitlines():
            words += len(line.split())
            if await self._stopped_meanwhile():
                return End(signal=15)
        self._run.write(STDOUT, f"{words} words\n".encode())
        return End(exit_code=0 if words else 1, outputs={"words": str(words)})

    async def _stopped_meanwhile(self) -> bool:
        """Pause between two lines; true when a stop came."""
        try:
            async with asyncio.timeout(self._pause):
                return await self._stopped.wait()
        except TimeoutError:
            return False


def text_of(spec: RunSpec) -> str:
    """The source, from the request or from the workspace that the daemon filled."""
    if spec.source.WhichOneof("origin") == "inline":
        data = spec.source.inline.inline
    else:
        with open(f"{spec.workspace.path}/{spec.source.workspace_path}", "rb") as source:
            data = source.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LoadFailure("SOURCE_INVALID", f"the source is not UTF-8: {error}") from error


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(serve(WordCounter()))
