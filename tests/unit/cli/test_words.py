"""How a command line is taken apart, and what is said about errors."""

import argparse
from importlib import metadata

import pytest

from kruntimes_core.cli import failures, main, resources, run, version
from kruntimes_core.cli.resources import Place

SPLITS = {
    "a verb": (["get", "runs"], ([], "get", ["runs"])),
    "options before it": (["-n", "x", "get"], (["-n", "x"], "get", [])),
    "a namespace that is called like a verb": (["-n", "get", "logs", "r"], (["-n", "get"], "logs", ["r"])),
    "one that there is not, before one that there is": (["gett", "run"], ([], "gett", ["run"])),
    "a kubeconfig that is called like a verb": (["--kubeconfig", "get"], (["--kubeconfig", "get"], "", [])),
    "no verb": (["--help"], (["--help"], "", [])),
    "a verb only in the program's words": (["--", "get"], (["--", "get"], "", [])),
}


@pytest.mark.parametrize(("argv", "want"), SPLITS.values(), ids=SPLITS)
def test_the_verb_is_found(argv: list[str], want: tuple[list[str], str, list[str]]) -> None:
    assert main.split_verb(argv) == want


def test_what_follows_two_dashes_is_the_programs() -> None:
    assert main.split_rest(["--name", "a", "--", "ls", "--", "-l"]) == (["--name", "a"], ["ls", "--", "-l"])
    assert main.split_rest(["FILE"]) == (["FILE"], None)


def test_the_version_is_the_distributions() -> None:
    assert metadata.version("kruntimes") == version.VERSION


def test_every_verb_has_a_module_that_explains_itself() -> None:
    import importlib

    for verb, path in main.VERBS.items():
        module = importlib.import_module(path)
        assert path.endswith(f".{verb}")
        assert module.HELP
        assert callable(module.run)


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    own, rest = main.split_rest(list(argv))
    args = parser.parse_args(own)
    args.rest = rest
    return args


def test_options_become_those_of_the_sdk() -> None:
    args = parsed(
        *("--env", "A=1=2", "--cpu", "500m", "--timeout", "2s", "--retry", "2", "--priority", "0"),
        *("--param", "n=[1]", "--name", "mine", "--", "echo", "hi"),
    )
    assert run.options_of(args) == {
        "args": ["echo", "hi"],
        "env": {"A": "1=2"},
        "cpu": "500m",
        "timeout": "2s",
        "max_attempts": 3,
        "priority": 0,
        "parameters": {"n": [1]},
        "name": "mine",
    }


REFUSED = {
    "nothing to run": ([], "nothing to run"),
    "an environment without a value": (["--env", "A", "--", "x"], "NAME=VALUE"),
    "a parameter that is no JSON": (["--param", "a=b", "--", "x"], "a text needs quotes"),
}


@pytest.mark.parametrize(("argv", "text"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_call_says_what_would_be_right(argv: list[str], text: str) -> None:
    with pytest.raises(failures.UsageError, match=text):
        run.options_of(parsed(*argv))


RUNS, RUNTIMES = Place("kruntimes.io/v1alpha1", "runs"), Place("kruntimes.io/v1alpha1", "runtimes")
WORDS = {
    "a Run by its name": (["a"], [(RUNS, "a")]),
    "Runs by kind and name": (["run", "a", "b"], [(RUNS, "a"), (RUNS, "b")]),
    "the short word": (["rt", "bash"], [(RUNTIMES, "bash")]),
    "kind and name in one": (["runtime/bash", "rn/a"], [(RUNTIMES, "bash"), (RUNS, "a")]),
    "as krt itself prints it": (["run.kruntimes.io/a"], [(RUNS, "a")]),
    "only a kind": (["runs"], []),
}


@pytest.mark.parametrize(("words", "want"), WORDS.values(), ids=WORDS)
def test_words_name_objects(words: list[str], want: list[tuple[Place, str]]) -> None:
    assert resources.split_words(words) == want


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(failures.UsageError, match="pod"):
        resources.split_words(["pod/a"])


def test_a_path_is_quoted() -> None:
    assert RUNS.path("a/b", "c d") == "/apis/kruntimes.io/v1alpha1/namespaces/a%2Fb/runs/c%20d"
    assert RUNS.path("") == "/apis/kruntimes.io/v1alpha1/runs"


def test_errors_are_two_lines_at_most() -> None:
    assert failures.explain(failures.UsageError("one\ntwo\nthree")) == "one\ntwo"
    assert failures.explain(FileNotFoundError(2, "No such file", "x.sh")).startswith(
        "x.sh: No such file\nsee "
    )
    assert "this should not happen" in failures.explain(KeyError("x"))
