"""The file in which a program leaves its value, read as one JSON text. Pure; opens no file."""

import json
from typing import Final, NoReturn

_SPACE: Final = " \t\r\n"


class BadValue(ValueError):
    """The file does not hold one JSON value; the message says what is wrong."""


def parse_value(data: bytes) -> bytes | None:
    """The JSON text in `data`, without the space around it; None if there is none. Raises BadValue."""
    try:
        text = data.decode().strip(_SPACE)
        if not text:
            return None
        json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise BadValue("The result file holds a value that is nested too deep.") from None
    except ValueError as error:
        raise BadValue(f"The result file does not hold one JSON value: {error}.") from None
    return text.encode()


def _refuse(word: str) -> NoReturn:
    """NaN and the infinities: Python writes them, and no other reader of JSON takes them."""
    raise ValueError(f"{word} is no JSON")
