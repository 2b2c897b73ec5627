"""The rules on tracked files: what is refused, and what is not."""

import pytest

from tests.gates import tree

REFUSED = {
    "a long file": ("kruntimes_core/long.py", "x = 1\n" * 401),
    "a path of this machine": ("docs/guide.md", "see /" + "root/secret\n"),
    "a registry's host": ("docs/guide.md", "from py" + "pi.org\n"),
    "a unit test that sleeps": ("tests/unit/test_x.py", "time." + "sleep(1)\n"),
    "an unnamed thing": ("kruntimes_core/utils.py", "x = 1\n"),
}
ALLOWED = {
    "a file of just four hundred lines": ("kruntimes_core/long.py", "x = 1\n" * 400),
    "a long generated file": ("sdk/python/kruntimes/runtime/v1/types_pb2.pyi", "x = 1\n" * 900),
    "a unit test that lets others go first": ("tests/unit/test_x.py", "await asyncio." + "sleep(0)\n"),
    "a path with such a word inside": ("docs/guide.md", "kept under <data>/" + "root/x, ~/" + "work/y\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    assert len(list(tree.complaints(*REFUSED[case]))) == 1


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    assert list(tree.complaints(*ALLOWED[case])) == []


def function(lines: int, before: str = "") -> str:
    return f"{before}def f():\n" + "    x = 1\n" * (lines - 1)


def test_a_long_function_is_refused_unless_a_comment_says_why() -> None:
    assert list(tree.long_functions("a.py", function(40))) == []
    assert list(tree.long_functions("a.py", function(41))) == ["a.py:1: f has 41 lines, more than 40"]
    assert list(tree.long_functions("a.py", function(41, "# Long: one table of steps.\n"))) == []
