"""JSON settings whose shape the server owns: parsed, bounded, held against their schema. Keeps nothing."""

import json
from typing import Any

import jsonschema_rs

from kruntimes.server.bounds import SCHEMA_BYTES, SETTINGS_BYTES
from kruntimes.server.refusals import refusal


class Settings:
    """One kind of settings: `reason` names its refusals, an empty `schema` takes none.

    Raises ValueError for a schema that is no JSON Schema or is over 256 KiB, which is the author's bug.
    """

    def __init__(self, schema: str, reason: str) -> None:
        if len(schema.encode()) > SCHEMA_BYTES:
            raise ValueError(f"a settings schema holds more than {SCHEMA_BYTES} bytes")
        self._validator = jsonschema_rs.Draft202012Validator(json.loads(schema)) if schema else None
        self._reason = reason

    def parse(self, text: str) -> dict[str, Any]:
        """The object in `text`; empty text is an empty object. Refuses what breaks a bound or the schema."""
        if not text:
            return {}
        if len(text.encode()) > SETTINGS_BYTES:
            raise refusal(self._reason, why=f"holds more than {SETTINGS_BYTES} bytes")
        try:
            value: object = json.loads(text)
        except ValueError as error:
            raise refusal(self._reason, why=f"is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise refusal(self._reason, why="must hold a JSON object")
        if self._validator is None:
            if value:
                raise refusal(self._reason, why="is set, and this server takes no such settings")
            return value
        try:
            for broken in self._validator.iter_errors(value):
                where = "/".join(str(part) for part in broken.instance_path)
                raise refusal(self._reason, why=f"breaks the schema at /{where}: {broken.message}")
        except UnicodeEncodeError as error:
            raise refusal(self._reason, why="holds half of a surrogate pair") from error
        return value
