"""krt completion: prints the script by which a shell completes krt's words, and answers those scripts."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

HELP = "print a shell's completion script: source <(krt completion bash)"
SCRIPTS = {
    "bash": """\
_krt() {
    local IFS=$'\\n'
    COMPREPLY=($(krt __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _krt krt
""",
    "zsh": """\
#compdef krt
_krt() {
    local -a found
    found=(${(f)"$(krt __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _krt krt
""",
    "fish": """\
complete -c krt -a '(krt __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}
MOST_NAMES = "200"
# kubectl's own words for: offer files as well, and: offer nothing else.
FILES_TOO, NOTHING_ELSE = ":0", ":4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt completion`."""
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="shell to print the script for")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    print(SCRIPTS[args.shell], end="")
    return 0


def answer(words: Sequence[str]) -> list[str]:
    """Return what may come next; nothing at all when anything goes wrong, since nobody asked for an error."""
    from kruntimes_core.cli.candidates import candidates

    def names(place: Any) -> Iterable[str]:
        from kruntimes import KruntimesError

        try:
            return _names(words, place)
        except KruntimesError:
            return []

    return candidates(words, names)


def _names(words: Sequence[str], place: Any) -> list[str]:
    from kruntimes import Client
    from kruntimes._client import find_access
    from kruntimes._wire import Request

    from kruntimes_core.cli.main import add_common

    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    add_common(parser)
    given, _ = parser.parse_known_args(list(words[:-1]))
    with Client(
        find_access(given.kubeconfig, given.context), namespace=given.namespace, patience=0
    ) as client:
        request = Request("GET", place.path(client.namespace), {"limit": MOST_NAMES})
        return [str(item["metadata"]["name"]) for item in client.ask(request)["items"]]


def for_kubectl() -> int:
    """Answer `kubectl krt` completions; the entry point of `kubectl_complete-krt`."""
    found = answer(sys.argv[1:])
    print("\n".join([*found, NOTHING_ELSE if found else FILES_TOO]))
    return 0
