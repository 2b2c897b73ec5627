"""The program that a task's Run executes: loads the function, calls it, leaves its value; needs none of ours.

Its text is the source of the Run, so it stands alone. `kruntimes.testing` imports it to do the same.
"""

import json
import os
import pickle
import sys
from typing import Any

FUNCTION_FILE = "function.pickle"
ARGUMENTS_FILE = "arguments.pickle"
MOST_BYTES = 16384
JSON_TYPES = "None, bool, int, float, str, list and dict with keys of str"


class CannotLoad(Exception):
    """The function cannot be loaded here."""


class CannotReturn(Exception):
    """What the function returned cannot travel back."""


def call(task: str, python: str, function: bytes, arguments: bytes) -> str:
    """Call the function of `task`, pickled by Python `python`; returns its value as JSON text."""
    here = "{}.{}".format(*sys.version_info)
    if python != here:
        raise CannotLoad(
            f"{task} was sent by Python {python} and this Runtime runs Python {here}. "
            "A function travels as bytecode, which only the same Python understands: "
            f"use a Runtime with {python}, or send it from {here}"
        )
    try:
        loaded, (args, kwargs) = pickle.loads(function), pickle.loads(arguments)
    except ModuleNotFoundError as error:
        raise CannotLoad(
            f"{task} needs the module {error.name!r}, which this Runtime does not have: "
            "install it in the Runtime's image, or move what the task uses into the file of the task"
        ) from None
    return to_json(task, loaded(*args, **kwargs))


def to_json(task: str, value: Any) -> str:
    """Return JSON text for what a task returned, at most MOST_BYTES of it."""
    try:
        complaint = _complaint(value, "")
        text = "" if complaint else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        complaint = "something that is nested too deep, or holds itself"
    if complaint:
        raise CannotReturn(f"{task} returned {complaint}. A value travels back as JSON: {JSON_TYPES}")
    size = len(text.encode())
    if size > MOST_BYTES:
        raise CannotReturn(
            f"{task} returned {size:,} bytes of JSON, and at most {MOST_BYTES:,} travel back: "
            "store a large value elsewhere and return where it is"
        )
    return text


def _complaint(value: Any, place: str) -> str:
    """Say what of a value is no JSON; empty when all of it is. A tuple counts as a list, as json has it."""
    where = f" at value{place}" if place else ""
    if isinstance(value, dict):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            return f"a dict{where} with the key {odd[0]!r}, which is no str"
        items: Any = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return _complaint_of_one(value, where)
    found = (_complaint(item, f"{place}[{key!r}]") for key, item in items)
    return next(filter(None, found), "")


def _complaint_of_one(value: Any, where: str) -> str:
    if isinstance(value, float) and value - value != 0:
        return f"{value!r}{where}, which is no number in JSON"
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"a str{where} with half a character in it"
    known = value is None or isinstance(value, (int, float, str))
    return "" if known else f"a value of type {type(value).__name__}{where}"


def main() -> None:
    """Run in the workspace of a Run: its arguments name the task and the Python that sent it."""
    task, python = sys.argv[1:3]
    with open(FUNCTION_FILE, "rb") as function, open(ARGUMENTS_FILE, "rb") as arguments:
        text = call(task, python, function.read(), arguments.read())
    with open(os.environ["KRUNTIMES_RESULT"], "w", encoding="utf-8") as result:
        result.write(text)


if __name__ == "__main__":
    main()
