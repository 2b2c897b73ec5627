"""The shell completes verbs, options, choices, and the names of what there is."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from kruntimes_core.cli.candidates import candidates
from kruntimes_core.cli.resources import Place

THERE = {"runs": ["one", "other"], "runtimes": ["bash"], "namespaces": ["default"]}


def names(place: Place) -> Iterable[str]:
    return THERE[place.plural]


COMPLETED = {
    "a verb": (["w"], ["wait", "why"]),
    "a verb after an option": (["-n", "default", "ca"], ["cancel"]),
    "an option": (["run", "--time"], ["--timeout"]),
    "a choice": (["get", "runs", "-o", "j"], ["json"]),
    "a choice of a plain word": (["dev", "r"], ["reset"]),
    "a shell": (["completion", ""], ["bash", "fish", "zsh"]),
    "a Run": (["why", "o"], ["one", "other"]),
    "another Run": (["cancel", "one", "ot"], ["other"]),
    "a Runtime": (["run", "--runtime", ""], ["bash"]),
    "a namespace": (["get", "-n", "d"], ["default"]),
    "a kind or a Run": (["get", "o"], ["one", "other"]),
    "a kind": (["get", "runt"], ["runtimes"]),
    "a name of a kind": (["delete", "runtime", ""], ["bash"]),
    "a name of a kind, after an option with a value": (["get", "-l", "a=b", "rt", "b"], ["bash"]),
    "a file": (["run", "--stdin", ""], []),
    "the program's own words": (["run", "--", "w"], []),
    "after a verb that there is not": (["gett", ""], []),
}


@pytest.mark.parametrize(("words", "want"), COMPLETED.values(), ids=COMPLETED)
def test_what_may_come_next(words: list[str], want: list[str]) -> None:
    assert candidates(words, names) == want


def test_bash_completes_by_its_script() -> None:
    typed = 'source <(krt completion bash); COMP_WORDS=(krt wa); COMP_CWORD=1; _krt; echo "${COMPREPLY[@]}"'
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", typed], capture_output=True, text=True, timeout=60, env={"PATH": path}, check=True
    )
    assert (done.stdout, done.stderr) == ("wait\n", "")
