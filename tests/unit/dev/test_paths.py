"""Container paths in texts become real ones, and nothing that only looks like them does."""

import pytest

from kruntimes_core.dev.paths import expand, rewrite

MOUNTS = {"/run/kruntimes": "/data/run", "/workspaces": "/data/ws", "/run/kruntimes/inner": "/data/inner"}

CASES = {
    "a path": ("/run/kruntimes", "/data/run"),
    "a path below it": ("/run/kruntimes/token", "/data/run/token"),
    "a URL of a socket": ("unix:///run/kruntimes/runtime.sock", "unix:///data/run/runtime.sock"),
    "the longest mount wins": ("/run/kruntimes/inner/x", "/data/inner/x"),
    "several in one text": ("A=/run/kruntimes:/workspaces/x", "A=/data/run:/data/ws/x"),
    "in quotes": ('{"dir":"/workspaces"}', '{"dir":"/data/ws"}'),
    "a longer name": ("/run/kruntimes-else", "/run/kruntimes-else"),
    "a path that only contains it": ("/mnt/workspaces", "/mnt/workspaces"),
    "a relative path": ("x/workspaces", "x/workspaces"),
    "a second line": ("a\n/workspaces/b", "a\n/data/ws/b"),
    "nothing of ours": ("echo hi", "echo hi"),
}


@pytest.mark.parametrize(("text", "want"), CASES.values(), ids=CASES)
def test_a_text_is_rewritten(text: str, want: str) -> None:
    assert rewrite(text, MOUNTS) == want


def test_without_mounts_a_text_stays() -> None:
    assert rewrite("/run/kruntimes", {}) == "/run/kruntimes"


EXPANSIONS = {
    "a known name": ("$(A)", "1"),
    "an unknown name stays": ("$(B)", "$(B)"),
    "two dollars are one": ("$$(A)", "$(A)"),
    "shell variables are the shell's": ("$A ${A}", "$A ${A}"),
}


@pytest.mark.parametrize(("text", "want"), EXPANSIONS.values(), ids=EXPANSIONS)
def test_references_are_expanded_as_kubernetes_does(text: str, want: str) -> None:
    assert expand(text, {"A": "1"}) == want
