"""Which words may come next on a command line of krt; prints nothing, and asks only for names."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterable, Sequence

from kruntimes_core.cli import main
from kruntimes_core.cli.resources import OWN_GROUP, Place, place_of_word

Names = Callable[[Place], Iterable[str]]

RUNS, RUNTIMES = Place(OWN_GROUP, "runs"), Place(OWN_GROUP, "runtimes")
NAMESPACES = Place("v1", "namespaces", namespaced=False)
KINDS = ("runs", "runtimes")
# What the plain words of a verb name.
NAMED = {"logs": RUNS, "why": RUNS, "cancel": RUNS, "wait": RUNS, "top": RUNTIMES}
VALUES = {"--runtime": RUNTIMES, "-n": NAMESPACES, "--namespace": NAMESPACES}


def candidates(words: Sequence[str], names: Names) -> list[str]:
    """Return what the last of the words may become; nothing where a file or a text of one's own belongs."""
    *before, current = words or [""]
    if "--" in before:
        return []
    _, verb, after = main.split_verb(before)
    if before and before[-1] in VALUES:
        found: Iterable[str] = names(VALUES[before[-1]])
    elif before and before[-1] in main.WITH_VALUE:
        found = []
    elif not verb:
        found = main.VERBS
    elif verb in main.VERBS:
        found = _of_verb(verb, after, current, names)
    else:
        found = []
    return sorted(word for word in found if word.startswith(current))


def _of_verb(verb: str, after: Sequence[str], current: str, names: Names) -> Iterable[str]:
    parser = main.parser_of(verb, importlib.import_module(main.VERBS[verb]))
    options = {option: action for action in parser._actions for option in action.option_strings}
    last = options.get(after[-1]) if after else None
    if last is not None and last.nargs != 0:
        return [str(choice) for choice in last.choices or ()]
    if current.startswith("-"):
        return options
    plain = _plain_words(after, options)
    if verb in ("get", "delete"):
        place = place_of_word(plain[0]) if plain else None
        extra = ["pools"] if verb == "get" else []
        return names(place) if place else [] if plain else [*KINDS, *extra, *names(RUNS)]
    if verb in NAMED:
        return names(NAMED[verb])
    chosen = [action.choices for action in parser._actions if not action.option_strings and action.choices]
    return [str(choice) for choices in chosen[: not plain] for choice in choices]


def _plain_words(after: Sequence[str], options: dict[str, argparse.Action]) -> list[str]:
    """Return the words that are neither an option nor the value of one."""
    plain, is_value = [], False
    for word in after:
        option = options.get(word)
        if not is_value and option is None and not word.startswith("-"):
            plain.append(word)
        is_value = not is_value and option is not None and option.nargs != 0
    return plain
