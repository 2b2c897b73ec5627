"""Console transcripts of the documentation: read from a page, typed into a shell, and compared."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
ANYTHING = "..."
_MARK = "==== transcript step {} ===="


@dataclass(frozen=True)
class Step:
    """One command as it is typed, and what is expected to be printed, `...` standing for anything."""

    command: str
    expected: str


def read_steps(page: str) -> list[Step]:
    """Return the commands of all console blocks of a page, in order."""
    return [step for block in BLOCK.findall(page) for step in _steps(block)]


def _steps(block: str) -> Iterator[Step]:
    command: list[str] = []
    expected: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step("\n".join(command), "\n".join(expected))
            command, expected = [line[2:]], []
        elif line.startswith("> ") or line == ">":
            command.append(line[2:])
        else:
            expected.append(line)
    if command:
        yield Step("\n".join(command), "\n".join(expected))


def matches(expected: str, printed: str) -> bool:
    """Tell whether what was printed is what a page shows."""
    parts = (re.escape(part) for part in expected.strip().split(ANYTHING))
    return re.fullmatch(".*".join(parts), printed.strip(), re.DOTALL) is not None


def type_in(steps: list[Step], folder: Path, environment: Mapping[str, str], bound: float) -> list[str]:
    """Type all commands into one shell, as a person does; return what each printed, errors included."""
    lines = ["exec 2>&1 </dev/null"]
    for number, step in enumerate(steps):
        # The exit code of a command is still there for the next one.
        lines.append(f"code=$?; echo; echo '{_MARK.format(number)}'; (exit $code)")
        lines.append(step.command)
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=bound,
    )
    printed = re.split(re.escape(_MARK).replace(r"\{\}", r"\d+"), done.stdout)[1:]
    return [text.strip("\n") for text in printed]
