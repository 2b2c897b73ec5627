"""The command line: finds the verb, loads it alone, and turns errors into two lines at most."""

from __future__ import annotations

import importlib
import os
import sys

# Importing typing for its TYPE_CHECKING costs a tenth of what `krt version` takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Protocol

    class Verb(Protocol):
        """What the module of a verb offers."""

        HELP: str

        def add_arguments(self, parser: argparse.ArgumentParser) -> None:
            """Declare the verb's own arguments."""

        def run(self, args: argparse.Namespace) -> int:
            """Do it; returns the exit code."""


# A verb is one module with HELP, add_arguments and run; only the one that is called is loaded.
VERBS = {
    "run": "kruntimes_core.cli.run",
    "get": "kruntimes_core.cli.get",
    "logs": "kruntimes_core.cli.logs",
    "why": "kruntimes_core.cli.why",
    "top": "kruntimes_core.cli.top",
    "cancel": "kruntimes_core.cli.cancel",
    "wait": "kruntimes_core.cli.wait",
    "delete": "kruntimes_core.cli.delete",
    "apply": "kruntimes_core.cli.apply",
    "dev": "kruntimes_core.cli.dev",
    "doctor": "kruntimes_core.cli.doctor",
    "completion": "kruntimes_core.cli.completion",
    "version": "kruntimes_core.cli.version",
}
WITH_VALUE = frozenset({"-n", "--namespace", "--context", "--kubeconfig"})
# What the scripts of `krt completion` call; what follows are the words typed so far, ours to look at only.
COMPLETE = "__complete"
INTERRUPTED = 130
# The reader of our output has gone, as in `krt get runs | head -1`.
NOBODY_LISTENS = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the entry point of `krt` and `kubectl-krt`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [COMPLETE]:
        return _complete(words[1:])
    before, verb, after = split_verb(words)
    if verb not in VERBS:
        return _no_verb(before, verb)
    module: Verb = importlib.import_module(VERBS[verb])
    parser = parser_of(verb, module)
    # What follows `--` is the program's own and not ours to read.
    own, rest = split_rest([*before, *after])
    args = parser.parse_args(own)
    args.rest = rest
    return guarded(module, args)


def parser_of(verb: str, module: Verb) -> argparse.ArgumentParser:
    """Return what reads the words of a verb."""
    from kruntimes_core.cli.parser import Parser

    parser = Parser(prog=f"{program()} {verb}", description=module.HELP, allow_abbrev=False)
    add_common(parser)
    module.add_arguments(parser)
    return parser


def guarded(module: Verb, args: argparse.Namespace) -> int:
    """Run a verb; what goes wrong is told in one or two lines, with its trace only under --debug."""
    try:
        return module.run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Else Python complains once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_LISTENS
    except Exception as error:
        if args.debug:
            raise
        from kruntimes_core.cli.failures import explain

        print(f"{program()}: {explain(error)}", file=sys.stderr)
        return int(getattr(module, "FAILURE", 1))


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare the options that every verb has."""
    parser.add_argument("--kubeconfig", help="kubeconfig file to use")
    parser.add_argument("--context", help="context of the kubeconfig to use")
    parser.add_argument("-n", "--namespace", help="namespace to work in")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")


def split_verb(argv: list[str]) -> tuple[list[str], str, list[str]]:
    """Return what stands before the first word that is no option, that word or nothing, and what follows."""
    is_value = False
    for index, word in enumerate(argv):
        if word == "--":
            break
        if not is_value and not word.startswith("-"):
            return argv[:index], word, argv[index + 1 :]
        is_value = not is_value and word in WITH_VALUE
    return argv, "", []


def split_rest(argv: list[str]) -> tuple[list[str], list[str] | None]:
    """Return what stands before `--` and what stands after it, None when there is no `--`."""
    if "--" not in argv:
        return argv, None
    index = argv.index("--")
    return argv[:index], argv[index + 1 :]


def program() -> str:
    """Return the name we were called by."""
    name = os.path.basename(sys.argv[0])
    return "kubectl krt" if name == "kubectl-krt" else "krt"


def _complete(words: list[str]) -> int:
    from kruntimes_core.cli.completion import answer

    print("\n".join(answer(words)))
    return 0


def _no_verb(before: list[str], word: str) -> int:
    if word not in ("", "help") or not {"-h", "--help"}.issuperset(before):
        from kruntimes_core.cli.parser import did_you_mean

        what = f"{word!r} is no verb{did_you_mean(word, VERBS)}" if word else "which verb?"
        print(f"{program()}: {what}\n`{program()} --help` lists them: {', '.join(VERBS)}", file=sys.stderr)
        return 2
    lines = [f"usage: {program()} VERB [OPTIONS]", "", "verbs:"]
    for verb, path in VERBS.items():
        lines.append(f"  {verb:<12}{importlib.import_module(path).HELP}")
    lines += ["", f"Each verb explains itself: {program()} VERB --help"]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
