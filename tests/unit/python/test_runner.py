"""The runner's parts: exceptions as text, values as JSON, and a note that only its own process writes."""

import json
import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from runtime_servers.python import runner
from runtime_servers.python.runner import Note, describe, to_json


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("not even that")


class Level(IntEnum):
    HIGH = 3


@pytest.fixture
def file() -> Iterator[int]:
    descriptor = os.memfd_create("note")
    yield descriptor
    os.close(descriptor)


def written(descriptor: int) -> Any:
    data = os.pread(descriptor, 1 << 20, 0)
    return json.loads(data) if data else None


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_an_exception_is_told_by_type_message_and_trace() -> None:
    told = describe(raised(ValueError("no")))
    assert (told["type"], told["message"]) == ("ValueError", "no")
    assert told["trace"].startswith("Traceback")
    assert told["trace"].endswith("ValueError: no\n")


def test_a_type_is_named_with_its_module() -> None:
    assert describe(json.JSONDecodeError("x", "", 0))["type"] == "json.decoder.JSONDecodeError"


def test_a_message_that_cannot_be_had_is_said_to_be_so() -> None:
    told = describe(raised(Mute()))
    assert "cannot be had" in told["message"]
    assert told["type"].endswith(".Mute")


def test_of_a_long_trace_the_end_is_kept_and_of_a_long_message_the_beginning() -> None:
    told = describe(raised(ValueError("a" * 100_000 + "z")))
    assert (len(told["message"]), told["message"][-1]) == (runner.MESSAGE_CHARACTERS, "a")
    assert (len(told["trace"]), told["trace"][-2:]) == (runner.TRACE_CHARACTERS, "z\n")


def test_a_group_is_told_with_its_parts() -> None:
    told = describe(raised(ExceptionGroup("all", [ValueError("one"), OSError("two")])))
    assert told["message"] == "all (2 sub-exceptions)"
    assert "one" in told["trace"]
    assert "two" in told["trace"]


def test_half_a_character_gets_through(file: int) -> None:
    Note(file).write("exception", raised(ValueError("\udc80")))
    assert written(file)["message"] == "\udc80"


def test_a_child_of_the_program_writes_no_note(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    note = Note(file)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    note.write("exception", ValueError())
    assert written(file) is None


def test_a_file_that_took_the_notes_number_is_left_alone(file: int, tmp_path: Path) -> None:
    note = Note(file)
    with open(tmp_path / "own", "wb") as own:
        os.dup2(own.fileno(), file)
    note.write("exception", ValueError())
    assert (tmp_path / "own").read_bytes() == b""


def test_without_a_file_for_it_there_is_no_note() -> None:
    Note(999_999).write("exception", ValueError())


VALUES: dict[str, tuple[Any, bytes]] = {
    "nothing": (None, b"null"),
    "a large number": (2**70, b"1180591620717411303424"),
    "a tuple": ((1, 2.5), b"[1, 2.5]"),
    "a dict": ({"a": [True, None]}, b'{"a": [true, null]}'),
    "text": ("\u00e9", b'"\xc3\xa9"'),
    "half a character": ("\udc80", b'"\\udc80"'),
    "a number with a name": (Level.HIGH, b"3"),
}


@pytest.mark.parametrize(("value", "want"), VALUES.values(), ids=VALUES)
def test_a_value_becomes_json(value: Any, want: bytes) -> None:
    assert to_json(value) == want


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
NO_VALUES: dict[str, tuple[Any, type[Exception], str]] = {
    "a set": ({1}, TypeError, "the value is of type set; a Run's value is made of None"),
    "a set inside": ([{1}], TypeError, "the value holds something of type set"),
    "a key that JSON would change": ([{1: 2}], TypeError, "the value has a key of type int"),
    "bytes": (b"", TypeError, "is of type bytes"),
    "a key that JSON has not": ({(1,): 2}, TypeError, "has a key of type tuple"),
    "no number": ([float("nan")], ValueError, "Out of range float"),
    "a circle": (CIRCLE, ValueError, "Circular"),
}


@pytest.mark.parametrize(("value", "kind", "words"), NO_VALUES.values(), ids=NO_VALUES)
def test_a_value_that_would_not_come_back_is_refused(value: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        to_json(value)


def test_the_answer_of_an_async_function_is_its_value() -> None:
    async def double(text: str) -> str:
        return text * 2

    assert runner.call(double, ["a"]) == b'"aa"'
