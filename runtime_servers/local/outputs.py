"""The file in which a program leaves its named outputs, read as text. Pure; opens no file."""

import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_SHOWN: Final = 60


class BadOutputs(ValueError):
    """The file does not say what it should; the message names the line."""


def parse_outputs(data: bytes) -> dict[str, str]:
    """The outputs in lines of NAME=VALUE; the last of a name counts. Raises BadOutputs."""
    outputs = {}
    for number, line in enumerate(data.decode(errors="replace").split("\n"), start=1):
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if not equals or not _NAME.match(name):
            raise BadOutputs(
                f"Line {number} of the outputs file reads {line[:_SHOWN]!r}; it should be NAME=VALUE, "
                "with a name of letters, digits, '_', '.' and '-'."
            )
        outputs[name] = value
    return outputs
