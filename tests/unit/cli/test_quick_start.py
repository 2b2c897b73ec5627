"""krt starts quickly: judged by what a verb loads, since a clock would judge the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset({"aiohttp", "asyncio", "google", "grpc", "kubernetes", "msgspec", "concurrent.futures"})
NOT_FOR_A_WORD = HEAVY | {"typing", "json", "yaml", "http.client", "ssl", "dataclasses", "kruntimes"}
VERBS = {
    "version": ("version", NOT_FOR_A_WORD),
    "help": ("--help", HEAVY | {"kruntimes", "yaml", "http.client", "ssl"}),
    "a Run, up to its request": ("run -- true", HEAVY),
    "a table, up to its request": ("get runs", HEAVY),
}
SCRIPT = """
import sys
from kruntimes_core.cli.main import main
main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""
# A port where nobody listens: all is loaded that would ask.
KUBECONFIG = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
"""


@pytest.mark.parametrize(("words", "heavy"), VERBS.values(), ids=VERBS)
def test_a_verb_loads_nothing_it_does_not_need(words: str, heavy: frozenset[str], tmp_path: Path) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(KUBECONFIG)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        capture_output=True,
        text=True,
        timeout=60,
        env={"KUBECONFIG": str(nowhere)},
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "kruntimes_core.cli.main" in loaded
    assert sorted(heavy & loaded) == []
