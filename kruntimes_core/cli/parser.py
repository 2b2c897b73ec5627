"""argparse, with errors of two lines that say what would be right; declares no option."""

from __future__ import annotations

import argparse

# As in main: importing typing costs as much as all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

WRONG_CALL = 2
UNRECOGNIZED = "unrecognized arguments: "


class Parser(argparse.ArgumentParser):
    """Reads the words of one verb."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong and where the right is found, instead of the whole usage."""
        if message.startswith(UNRECOGNIZED):
            word = message.removeprefix(UNRECOGNIZED).split()[0]
            name = word.partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            what = "option" if name.startswith("-") else "argument"
            message = f"there is no {what} {word}{did_you_mean(name, known)}"
        self.exit(WRONG_CALL, f"{self.prog}: {message}\n`{self.prog} --help` shows what there is\n")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question after the nearest of the known words, or nothing when none is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def seconds(text: str) -> float:
    """Return the seconds of an option such as 90, 1.5s or 2m30s."""
    from kruntimes_core.model.resources import Unreadable, parse_duration

    try:
        return parse_duration(text if text[-1:].isalpha() else f"{text}s")
    except Unreadable:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 90, 1.5s or 2m30s") from None
