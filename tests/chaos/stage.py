"""One embedded control plane under test: started, loaded with Runs, hurt, and taken down again."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from kruntimes.kubeconfig import from_files

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import AlreadyExists, Unreachable
from kruntimes_core.kube.kinds import RUN
from tests.chaos import processes
from tests.chaos.observer import Observer, SeenRun, decode_run
from tests.chaos.program import make_run
from tests.chaos.verdict import Mark, Verdict, judge, read_marks

AT_LEAST = 20
"""A kill counts only while at least so many Runs are in the phase it is aimed at."""
STILLNESS = 60.0
"""Seconds without any change after the last fault that make what is left stuck."""
COMMAND_SECONDS = 90.0
NAMESPACE = "default"


class ScenarioFailed(Exception):
    """A scenario could not be carried out as it is meant: it proved nothing."""


@dataclass
class Stage:
    """The control plane, its observer and what was done to it."""

    data: Path
    random: Random
    client: Client
    observer: Observer
    hits: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    progress: bool = True

    @property
    def marks(self) -> Path:
        """Where the Runs of this stage leave their marks."""
        return self.data.parent / "marks"

    def root(self) -> int:
        """Return the pid of the dev process."""
        return int(json.loads((self.data / "dev.pid").read_text())["pid"])

    async def submit(self, count: int, seconds: float) -> None:
        """Create `count` Runs, 32 at a time; each counts as soon as the API acknowledged it."""
        gate = asyncio.Semaphore(32)

        async def create(index: int) -> None:
            name = f"chaos-{len(self.deleted)}-{index}-{self.random.getrandbits(32):08x}"
            async with gate:
                answer = await self._create(make_run(name, index, str(self.marks), seconds))
            self.acknowledged.append(decode_run(answer).uid)

        async with asyncio.TaskGroup() as group:
            for index in range(count):
                group.create_task(create(index))

    async def _create(self, body: Mapping[str, Any]) -> bytes:
        """Create a Run as a user does whose API server may be away: again, and what is there is ours."""
        async with asyncio.timeout(COMMAND_SECONDS + STILLNESS):
            while True:
                try:
                    return await self.client.create(RUN, NAMESPACE, body)
                except AlreadyExists:
                    return await self.client.get(RUN.named(NAMESPACE, body["metadata"]["name"]))
                except Unreachable:
                    await asyncio.sleep(0.2)

    async def reach(self, phase: str) -> None:
        """Return as soon as enough Runs are in `phase`."""
        if not await self.observer.until(lambda: self.observer.phases()[phase] >= AT_LEAST, STILLNESS):
            raise ScenarioFailed(f"never saw {AT_LEAST} Runs {phase}: {dict(self.observer.phases())}")

    async def kill(self, phase: str, role: str) -> None:
        """Kill -9 one process of a role while enough Runs are in `phase`."""
        while not self.hits[phase]:
            victim = await self.victim(role)
            await self.reach(phase)
            self.hits[phase] += processes.send([victim.pid], signal.SIGKILL)

    async def victim(self, role: str) -> processes.Found:
        """Choose a living process of a role."""
        found: list[processes.Found] = []
        async with asyncio.timeout(COMMAND_SECONDS):
            # A supervisor starts a process without telling us: only the process table says when.
            while not (found := processes.with_role(self.root(), role)):
                await asyncio.sleep(0.05)
        return self.random.choice(found)

    async def all_end(self) -> None:
        """Wait until every acknowledged Run that nobody deleted is over, or nothing moves any more."""
        wanted = [uid for uid in self.acknowledged if uid not in self.deleted]
        over = self.observer.ends
        self.progress = await self.observer.until(lambda: all(uid in over for uid in wanted), STILLNESS)

    async def quiet(self) -> int:
        """Return how many processes of user code are left when all should be gone."""
        for _ in range(100):
            if not processes.marking(str(self.marks)):
                return 0
            await asyncio.sleep(0.1)
        return len(processes.marking(str(self.marks)))

    def verdict(self) -> Verdict:
        """Judge what was seen."""
        fates = [self.observer.fate(uid) for uid in self.acknowledged if uid not in self.deleted]
        return judge(fates, {fate.uid: self.marks_of(fate.uid) for fate in fates}, self.progress)

    def marks_of(self, uid: str) -> list[Mark]:
        """Return what a Run marked so far."""
        path = self.marks / uid
        return read_marks(path.read_text().splitlines(keepends=True)) if path.exists() else []

    async def delete(self, seen: SeenRun) -> None:
        """Delete a Run, as its user would."""
        self.deleted.add(seen.uid)
        await self.client.delete(RUN.named(NAMESPACE, seen.name), uid=seen.uid)

    async def up(self) -> None:
        """Start the control plane, again if need be, on the same data."""
        await krt(
            "dev",
            "up",
            "--detach",
            "--data",
            str(self.data),
            "--runtimes",
            "bash",
            "--replicas",
            "2",
            "--slots",
            "32",
        )


async def krt(*arguments: str) -> None:
    """Run one krt command to its end."""
    command = [sys.executable, "-m", "kruntimes_core.cli.main", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(COMMAND_SECONDS):
        if await process.wait():
            raise ScenarioFailed(f"krt {' '.join(arguments[:2])} ended with {process.returncode}")


class Theatre:
    """Makes a stage on throw-away data, and leaves nothing of it behind."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._home = Path(tempfile.mkdtemp(prefix="krt-chaos-"))

    async def __aenter__(self) -> Stage:
        data = self._home / "data"
        (self._home / "marks").mkdir(mode=0o777)
        await krt(
            "dev",
            "up",
            "--detach",
            "--data",
            str(data),
            "--runtimes",
            "bash",
            "--replicas",
            "2",
            "--slots",
            "32",
        )
        self._client = await Client(from_files([data / "kubeconfig"]), "chaos").__aenter__()
        observer = Observer(self._client)
        self._watching = asyncio.create_task(observer.run())
        return Stage(data, self._random, self._client, observer)

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])
        await self._client.__aexit__(None, None, None)
        await krt("dev", "down", "--data", str(self._home / "data"))
        shutil.rmtree(self._home)
