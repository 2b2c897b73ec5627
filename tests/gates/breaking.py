"""Whether proto/ keeps every promise of the released protocol; it never moves the released image unasked.

`proto/released.binpb` is what servers have been built against; buf compares today's files with it.
The image itself may move only together with a line in CHANGELOG.md, so that file records the image's digest.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGE: Final = "proto/released.binpb"
CHANGELOG: Final = "CHANGELOG.md"


def _buf(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the buf that stands beside this interpreter, with its cache inside the environment."""
    environment = os.environ | {"BUF_CACHE_DIR": str(Path(sys.prefix) / "cache" / "buf")}
    command = [str(Path(sys.executable).parent / "buf"), *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def digest(image: Path) -> str:
    """The words by which CHANGELOG.md names one image."""
    return "sha256:" + hashlib.sha256(image.read_bytes()).hexdigest()


def complaints(root: Path) -> list[str]:
    """What a server's author would have to be told; empty means nothing is broken."""
    image = root / IMAGE
    if not image.is_file():
        return [f"{IMAGE} is missing: restore it, or make a first one with: make proto-image"]
    found = []
    compared = _buf(root, "breaking", "proto", "--against", IMAGE)
    if compared.returncode != 0:
        found += (compared.stdout + compared.stderr).splitlines()
        found.append(f"proto/ breaks servers built against {IMAGE}: add fields, never remove or change them")
    if digest(image) not in (root / CHANGELOG).read_text():
        found.append(f"{IMAGE} changed and {CHANGELOG} does not say so: add a line with {digest(image)}")
    return found


def write(root: Path) -> None:
    """Make today's protocol the released one."""
    built = _buf(root, "build", "proto", "--exclude-source-info", "--output", IMAGE)
    if built.returncode != 0:
        raise SystemExit(built.stderr)
    print(f"{IMAGE} is today's protocol now. Say so in {CHANGELOG}, with its digest: {digest(root / IMAGE)}")


def main(arguments: list[str]) -> int:
    """Compare, or with --write move the image."""
    if arguments == ["--write"]:
        write(ROOT)
        return 0
    found = complaints(ROOT)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
