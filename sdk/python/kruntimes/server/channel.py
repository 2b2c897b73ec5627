"""One output channel: its offsets, what it keeps when it is full, where its bytes are. Knows no Run."""

import os
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from kruntimes.server.bounds import CHUNK_BYTES, TAIL_BYTES


class Store(Protocol):
    """The memory that channels share, and the disk behind it."""

    in_memory: int

    def crowded(self, held: int) -> bool:
        """True when a channel that holds `held` bytes in memory should go to disk."""

    def failed(self, error: OSError) -> None:
        """The disk took no more."""


class Chunk(NamedTuple):
    """Bytes from `offset` on, and how many just before it were dropped."""

    offset: int
    data: bytes
    skipped: int


@dataclass(slots=True)
class Channel:
    """Bytes `first` to `last` are kept, `end` were ever written; all three are offsets.

    A full head keeps its first bytes: `last` stays and `end` goes on. A full tail keeps its last: `first`
    moves on. On disk offset n lives at byte n % most, so that nothing is ever moved.
    """

    store: Store
    path: str
    most: int
    keep_tail: bool
    first: int = 0
    last: int = 0
    end: int = 0
    truncated: bool = False
    _memory: bytearray = field(default_factory=bytearray)
    _on_disk: bool = False
    _file: int | None = None
    _sealed_tail: bytes | None = None

    def write(self, data: bytes) -> None:
        """Append; never fails: what cannot be kept is counted and dropped."""
        self.end += len(data)
        if self._sealed_tail is not None:
            self._sealed_tail = (self._sealed_tail + data)[-TAIL_BYTES:]
        elif self.keep_tail:
            self._write_tail(data)
        else:
            room = self.most - self.last
            kept = data[:room]
            if self._keep(kept) and len(data) > room:
                self._seal(data[room:])

    def tail(self) -> bytes:
        """The last bytes ever written, at most 4 KiB, also those that a full head did not keep."""
        if self._sealed_tail is not None:
            return self._sealed_tail
        return self.read(max(self.first, self.last - TAIL_BYTES), TAIL_BYTES).data

    def read(self, offset: int, most: int = CHUNK_BYTES) -> Chunk:
        """At most `most` bytes from `offset`, or from the first byte kept; empty at the end."""
        start = max(offset, self.first)
        size = min(most, CHUNK_BYTES, self.last - start)
        if size <= 0:
            return Chunk(start, b"", 0)
        if self._on_disk:
            data = self._read_disk(start, size)
        else:
            data = bytes(self._memory[start - self.first : start - self.first + size])
        return Chunk(start, data, start - offset)

    def close(self) -> None:
        """No more writes; the file is opened again for each read, so that kept Runs hold no descriptors."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def drop(self) -> None:
        """Let go of every byte."""
        self.close()
        self.store.in_memory -= len(self._memory)
        self._memory.clear()
        self.first = self.last
        if self._on_disk:
            os.unlink(self.path)
            self._on_disk = False

    def _write_tail(self, data: bytes) -> None:
        over = len(data) - self.most
        if over > 0:  # the rest would be overwritten by this same write
            data = data[over:]
            self._forget_up_to(self.last)
            self.first = self.last = self.last + over
        self._forget_up_to(self.last + len(data) - self.most)
        self.truncated = self.first > 0
        self._keep(data)

    def _forget_up_to(self, offset: int) -> None:
        gone = offset - self.first
        if gone <= 0:
            return
        if not self._on_disk:
            del self._memory[:gone]
            self.store.in_memory -= gone
        self.first = offset

    def _keep(self, data: bytes) -> bool:
        """Store bytes at `last`; False when the disk failed, and the channel is sealed from then on."""
        try:
            if self._on_disk:
                self._write_disk(self.last, data)
            else:
                self._memory += data
                self.store.in_memory += len(data)
                if self.store.crowded(len(self._memory)):
                    self._spill()
        except OSError as error:
            self.store.failed(error)
            self._fail(data)
            return False
        self.last += len(data)
        return True

    def _fail(self, data: bytes) -> None:
        """The disk is full or gone: keep what is in memory, drop the rest, never the program's progress."""
        if not self._on_disk:
            self.last = self.first + len(self._memory)
            self._seal(b"")
        else:
            self._seal(data)

    def _seal(self, beyond: bytes) -> None:
        tail = self.tail() + beyond
        self._sealed_tail = tail[-TAIL_BYTES:]
        self.truncated = True

    def _spill(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._pwrite(descriptor, self.first, bytes(self._memory))
        except OSError:
            os.close(descriptor)
            os.unlink(self.path)
            raise
        self._file = descriptor
        self._on_disk = True
        self.store.in_memory -= len(self._memory)
        self._memory.clear()

    def _write_disk(self, offset: int, data: bytes) -> None:
        assert self._file is not None
        self._pwrite(self._file, offset, data)

    def _pwrite(self, descriptor: int, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            at = offset % self.most
            done = os.pwrite(descriptor, view[: self.most - at], at)
            view = view[done:]
            offset += done

    def _read_disk(self, offset: int, size: int) -> bytes:
        opened = self._file if self._file is not None else os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            at = offset % self.most
            data = os.pread(opened, min(size, self.most - at), at)
            if len(data) < size:
                data += os.pread(opened, size - len(data), 0)
            return data
        finally:
            if opened != self._file:
                os.close(opened)
