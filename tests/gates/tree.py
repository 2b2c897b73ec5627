"""Rules on the tracked files themselves: size, and what they must not mention; it reads and never edits."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 40
# What a comment above a longer function begins with, and then says why.
EXCUSE: Final = "# Long:"
WRITTEN_BY_HAND: Final = frozenset({".py", ".proto", ".sh", ".js", ".go", ".mk", ".md"})
GENERATED: Final = ("sdk/python/kruntimes/runtime/",)
# The protocol's text is read as one page, and a changelog only grows.
LONG_BY_NATURE: Final = frozenset({"proto/SPEC.md", "CHANGELOG.md"})

# Spelt in pieces, or this file would refuse itself.
_HOSTS: Final = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "proxy.go" + "lang.org",
    "crates" + ".io",
)
FORBIDDEN: Final = {
    "a path of somebody's machine": re.compile(r"(?<![\w.$})>~/-])/(?:work|root)/"),
    "a package registry's host": re.compile("|".join(re.escape(host) for host in _HOSTS)),
}
WAITS: Final = re.compile(r"\b(?:time|asyncio)\.sleep\((?!0\))")
NO_NAMES: Final = re.compile(r"(?:^|/)(?:utils?|helpers?|managers?|base|common)(?:\.py)?(?:/|$)")


def tracked(root: Path) -> list[str]:
    """Every file git knows, and every new one it would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return sorted(name for name in listed.stdout.splitlines() if (root / name).is_file())


def complaints(name: str, text: str) -> Iterator[str]:
    """What is wrong with one file, a line for each fault."""
    lines = text.splitlines()
    if name.startswith(GENERATED):
        return
    if NO_NAMES.search(name):
        yield f"{name}: a name that says nothing of what is inside"
    if Path(name).suffix in WRITTEN_BY_HAND and name not in LONG_BY_NATURE and len(lines) > LONGEST_FILE:
        yield f"{name}: {len(lines)} lines, more than {LONGEST_FILE}; split it by what it owns"
    for number, line in enumerate(lines, start=1):
        for what, pattern in FORBIDDEN.items():
            if pattern.search(line):
                yield f"{name}:{number}: {what}"
        if name.startswith("tests/unit/") and WAITS.search(line):
            yield f"{name}:{number}: a unit test waits for a condition, never for a time"


def long_functions(name: str, text: str) -> Iterator[str]:
    """Functions that want to be two, unless a comment above says why they are one."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        length = (node.end_lineno or node.lineno) - first + 1
        if length > LONGEST_FUNCTION and EXCUSE not in lines[first - 2]:
            yield f"{name}:{node.lineno}: {node.name} has {length} lines, more than {LONGEST_FUNCTION}"


def main() -> int:
    """Read every tracked text file and print what is wrong."""
    found: list[str] = []
    for name in tracked(ROOT):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # not a text
            continue
        found += complaints(name, text)
        if name.endswith(".py") and not name.startswith(GENERATED):
            found += long_functions(name, text)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
