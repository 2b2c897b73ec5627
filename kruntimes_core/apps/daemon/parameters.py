"""Whether a Run's parameters follow the schema its runtime server announced; never changes them."""

import json
from typing import Final

import jsonschema_rs

SHOWN: Final = 200


class BadSchema(ValueError):
    """The server announced a schema that cannot be used."""


class Parameters:
    """The check of one server process; the schema is compiled once."""

    def __init__(self, schema: str) -> None:
        self._validator = _compile(schema) if schema else None

    def find_fault(self, parameters_json: str) -> str:
        """What is wrong with these parameters, with the path to it; empty when nothing is."""
        parameters = json.loads(parameters_json) if parameters_json else {}
        if self._validator is None:
            taken = not parameters
            return "" if taken else "spec.parameters: this Runtime's server takes no parameters; remove them"
        for error in self._validator.iter_errors(parameters):
            path = "".join(_step(part) for part in error.instance_path)
            return f"spec.parameters{path}: {error.message[:SHOWN]}"
        return ""


def _compile(schema: str) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(json.loads(schema))
    except ValueError as error:
        raise BadSchema(f"the runtime server's schema for parameters cannot be used: {error}") from None


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
