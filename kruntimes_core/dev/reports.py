"""What the dev process tells the command that started it: one line of JSON for each piece of news."""

import json
import os
import select
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import IO

from kruntimes_core.clock import SystemClock


class Topic(StrEnum):
    """What a report is about."""

    PROGRESS = "progress"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class News:
    """One report."""

    topic: Topic
    text: str


class Reports:
    """The writing end; whether anybody still listens does not matter to the dev process."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            # A reader that is stopped must not stop us; what it misses is in the log.
            os.set_blocking(descriptor, False)

    def say(self, topic: Topic, text: str) -> None:
        """Tell one piece of news."""
        if self._descriptor is None:
            return
        line = json.dumps(asdict(News(topic, text))) + "\n"
        try:
            os.write(self._descriptor, line.encode())
        except BlockingIOError:
            return
        except BrokenPipeError:
            os.close(self._descriptor)
            self._descriptor = None


def read_reports(pipe: IO[bytes], bound: float | None = None) -> Iterator[News]:
    """Return what the dev process tells, until it ends; TimeoutError when that takes `bound` seconds."""
    clock, rest = SystemClock(), b""
    deadline = None if bound is None else clock.now().monotonic + bound
    while True:
        left = None if deadline is None else max(0.0, deadline - clock.now().monotonic)
        ready, _, _ = select.select([pipe], [], [], left)
        if not ready:
            raise TimeoutError
        piece = os.read(pipe.fileno(), 65536)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            found = json.loads(line)
            yield News(Topic(found["topic"]), found["text"])
