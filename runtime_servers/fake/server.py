"""The fake runtime server: plays each Run's script on the event loop. Starts no process."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from kruntimes.runtime.v1.capabilities_pb2 import (
    SOURCE_KIND_INLINE,
    SOURCE_KIND_WORKSPACE,
    Capabilities,
    SchedulingCapability,
    WorkloadCapability,
)
from kruntimes.runtime.v1.types_pb2 import (
    RESOURCE_ENFORCEMENT_ACCOUNTED,
    RESOURCE_UNIT_BYTES,
    RESOURCE_UNIT_COUNT,
    RESOURCE_UNIT_MILLICORES,
    ResourceDescriptor,
    RunSpec,
)
from kruntimes.server import STDERR, STDOUT, Description, End, LoadFailure, Refusal, StartedRun

from runtime_servers.fake.script import CONFIG_SCHEMA, PARAMETERS_SCHEMA, REFUSALS, Script

NAME: Final = "io.kruntimes.fake"
VERSION: Final = "0.1.0"
_FLOOD_CHUNK: Final = b"x" * 65536
_NOTHING: Final = Script()
_UNITS: Final = {"cpu": RESOURCE_UNIT_MILLICORES, "memory": RESOURCE_UNIT_BYTES}


def describe(capacity: Mapping[str, int]) -> Description:
    """What the fake server is, with this capacity in base units."""
    resources = [
        ResourceDescriptor(
            name=name,
            unit=_UNITS.get(name, RESOURCE_UNIT_COUNT),
            enforcement=RESOURCE_ENFORCEMENT_ACCOUNTED,
        )
        for name in capacity
    ]
    return Description(
        name=NAME,
        version=VERSION,
        capabilities=Capabilities(
            scheduling=SchedulingCapability(resources=resources),
            workload=WorkloadCapability(
                task=True,
                sources=[SOURCE_KIND_INLINE, SOURCE_KIND_WORKSPACE],
                stdin=True,
                result_value=True,
                graceful_stop=True,
            ),
        ),
        capacity=capacity,
        parameters_schema=json.dumps(PARAMETERS_SCHEMA),
        config_schema=json.dumps(CONFIG_SCHEMA),
        termination_grace=5.0,
    )


class FakeServer:
    """A kruntimes.server.RuntimeServer that does as `parameters_json` says."""

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self.description = describe(capacity)
        self._defaults: Mapping[str, Any] = {}
        self._refused: Counter[str] = Counter()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the script that Runs start from."""
        self._defaults = config.get("defaults", {})

    def check(self, spec: RunSpec) -> None:
        """Refuse what the script wants refused."""
        script = self._script(spec)
        if not script.refuse:
            return
        name = f"{spec.namespace}/{spec.name}"
        self._refused[name] += 1
        if script.refuse_times is None or self._refused[name] <= script.refuse_times:
            raise Refusal(REFUSALS[script.refuse], script.refuse, "The script of this Run says so.", 0.1)

    async def start(self, run: StartedRun) -> "Play":
        """Begin to play a script."""
        script = self._script(run.spec)
        if script.exit_server is not None:
            os._exit(script.exit_server)
        if script.bug == "start":
            raise RuntimeError("the script asked for a bug in start")
        if script.load_failure is not None:
            reason = script.load_failure.get("reason", "SOURCE_INVALID")
            raise LoadFailure(reason, script.load_failure.get("message", "The script says so."))
        return Play(run, script)

    async def close(self) -> None:
        """Nothing is held."""

    def _script(self, spec: RunSpec) -> Script:
        if not spec.parameters_json and not self._defaults:
            return _NOTHING
        given = {**self._defaults, **(json.loads(spec.parameters_json) if spec.parameters_json else {})}
        value = json.dumps(given["value"]).encode() if "value" in given else None
        return Script.of(given, value)


class Play:
    """One script being played; a kruntimes.server.Execution."""

    def __init__(self, run: StartedRun, script: Script) -> None:
        self._run = run
        self._script = script
        self._stopped = asyncio.Event()
        self._killed = asyncio.Event()

    def stop(self) -> None:
        """The polite stop."""
        self._stopped.set()

    def kill(self) -> None:
        """The hard stop."""
        self._killed.set()
        self._stopped.set()

    async def wait(self) -> End:
        """Play to the end."""
        script = self._script
        if script.bug == "wait":
            raise RuntimeError("the script asked for a bug in wait")
        if script.start_for and await self._interrupted(script.start_for):
            await self._stop()
            return End()  # no code and no signal: nothing ran
        self._run.running()
        self._write()
        waits = script.hold or script.run_for > 0
        if waits and await self._interrupted(None if script.hold else script.run_for):
            return await self._stop()
        return script.end

    def _write(self) -> None:
        for channel, data in ((STDOUT, self._script.stdout), (STDERR, self._script.stderr)):
            if data:
                self._run.write(channel, data)
        left = self._script.flood
        while left > 0:
            self._run.write(STDOUT, _FLOOD_CHUNK[:left])
            left -= len(_FLOOD_CHUNK)

    async def _interrupted(self, seconds: float | None) -> bool:
        """Wait; True when a stop came that the script heeds."""
        event = self._killed if self._script.ignore_stop else self._stopped
        return await _came(event, seconds)

    async def _stop(self) -> End:
        script = self._script
        if not self._killed.is_set():
            if script.farewell:
                self._run.write(STDOUT, script.farewell)
            if not script.stop_takes or not await _came(self._killed, script.stop_takes):
                return script.stopped(hard=False)
        if script.kill_takes:
            await asyncio.sleep(script.kill_takes)
        return script.stopped(hard=True)


async def _came(event: asyncio.Event, seconds: float | None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
