"""What the Runs work on: the tracked files of this repository, packed so that they travel inside a Run."""

import hashlib
import io
import lzma
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A file of a Run holds 1 MiB at most; an archive longer than this travels in parts.
PART: Final = 512 * 1024
ARCHIVE: Final = "sources.tar.xz"


@dataclass(frozen=True)
class Tree:
    """Files by path, as they were when they were read."""

    files: dict[str, bytes]

    def only(self, paths: Iterable[str]) -> "Tree":
        """The part of it with these paths."""
        return Tree({path: self.files[path] for path in sorted(paths)})

    def under(self, *folders: str, suffix: str = "") -> list[str]:
        """Paths in any of these folders, sorted."""
        prefixes = tuple(f"{folder}/" for folder in folders)
        return sorted(path for path in self.files if path.startswith(prefixes) and path.endswith(suffix))

    def python(self) -> list[str]:
        """Every Python file."""
        return sorted(path for path in self.files if path.endswith((".py", ".pyi")))

    def digest(self) -> str:
        """One hash over all names and contents, the same that a Run makes from what it unpacked."""
        lines = [f"{hashlib.sha256(self.files[path]).hexdigest()}  {path}\n" for path in sorted(self.files)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def packed(self) -> dict[str, bytes]:
        """The tree as files of a Run: one archive, in parts."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted(self.files):
                entry = tarfile.TarInfo(path)
                entry.size = len(self.files[path])
                archive.addfile(entry, io.BytesIO(self.files[path]))
        data = lzma.compress(buffer.getvalue(), preset=3)
        parts = [data[start : start + PART] for start in range(0, len(data), PART)]
        return {f"{ARCHIVE}.{number:02}": part for number, part in enumerate(parts)}


def read_tree(root: Path) -> Tree:
    """Read every file that git tracks under `root`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    paths = [path for path in listed.stdout.split("\0") if path]
    return Tree({path: (root / path).read_bytes() for path in paths if (root / path).is_file()})


def dealt(paths: list[str], shards: int, tree: Tree) -> list[list[str]]:
    """Deal paths to shards, the longest files first, each to the shard with the least so far."""
    hands: list[list[str]] = [[] for _ in range(shards)]
    weights = [0] * shards
    for path in sorted(paths, key=lambda path: -len(tree.files[path])):
        lightest = weights.index(min(weights))
        hands[lightest].append(path)
        weights[lightest] += len(tree.files[path])
    return [sorted(hand) for hand in hands if hand]
