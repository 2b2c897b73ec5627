"""The output of Runs: bounded per channel, any bytes, small ones in memory, larger ones on disk."""

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kruntimes.server.author import CHANNELS, RunKey
from kruntimes.server.bounds import KIB, MIB
from kruntimes.server.channel import Channel, Store

log = logging.getLogger(__name__)

MEMORY_BYTES: Final = 64 * KIB
ALL_MEMORY_BYTES: Final = 64 * MIB
PREFIX: Final = "kruntimes-spool-"


class Spool(Store):
    """The directory that holds what memory should not, and the memory that all Runs share."""

    def __init__(
        self, root: str, memory_bytes: int = MEMORY_BYTES, all_bytes: int = ALL_MEMORY_BYTES
    ) -> None:
        self.root = root
        self.in_memory = 0
        self.broken = ""
        self._memory_bytes = memory_bytes
        self._all_bytes = all_bytes

    @classmethod
    def open(cls, directory: str | None) -> "Spool":
        """A fresh directory of this process, in `directory` or else among the temporary files.

        What an earlier process left in `directory` is removed: one server has one spool.
        """
        if directory is None:
            return cls(tempfile.mkdtemp(prefix=PREFIX))
        parent = Path(directory)
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in parent.glob(f"{PREFIX}*"):
            shutil.rmtree(old)
        return cls(tempfile.mkdtemp(prefix=PREFIX, dir=parent))

    def close(self) -> None:
        """Remove the directory and all that is in it."""
        shutil.rmtree(self.root)

    def crowded(self, held: int) -> bool:
        """True when a channel that holds `held` bytes in memory should go to disk."""
        return held > self._memory_bytes or self.in_memory > self._all_bytes

    def failed(self, error: OSError) -> None:
        """The disk takes nothing more; said once, kept in `broken`."""
        if not self.broken:
            log.error("output is cut short: %s cannot be written: %s", self.root, error)
        self.broken = str(error)

    def output(self, key: RunKey, most: int, keep_tail: bool) -> "Output":
        """The channels of a new Run, each keeping at most `most` bytes."""
        return Output(self, f"{self.root}/{key.uid}-{key.attempt}.", most, keep_tail)


@dataclass(slots=True)
class Output:
    """The channels of one Run. A channel costs nothing before its first byte."""

    spool: Spool
    path: str
    most: int
    keep_tail: bool
    closed: bool = False
    gone: bool = False
    listeners: list[Callable[[], None]] = field(default_factory=list)
    _channels: dict[str, Channel] = field(default_factory=dict)

    def write(self, name: str, data: bytes) -> None:
        """Append to a channel; ValueError for a name that is no channel or after the end."""
        if self.gone:  # the server ends; nobody can read it any more
            return
        if self.closed:
            raise ValueError(f"output of an ended Run on {name}")
        if data:
            self.channel(name).write(data)
            self._tell()

    def channel(self, name: str) -> Channel:
        """One channel, empty if nothing was written yet; ValueError for a name that is none."""
        channel = self._channels.get(name)
        if channel is None:
            if name not in CHANNELS:
                raise ValueError(f"{name!r} is no channel; there are {', '.join(CHANNELS)}")
            channel = Channel(self.spool, self.path + name, self.most, self.keep_tail)
            self._channels[name] = channel
        return channel

    def written(self, name: str) -> Channel | None:
        """One channel, or None when nothing was ever written to it."""
        return self._channels.get(name)

    def close(self) -> None:
        """No more bytes will come; what is kept stays readable."""
        self.closed = True
        for channel in self._channels.values():
            channel.close()
        self._tell()

    def drop(self) -> None:
        """Let go of every byte; readers that follow end."""
        self.closed = self.gone = True
        for channel in self._channels.values():
            channel.drop()
        self._tell()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()
