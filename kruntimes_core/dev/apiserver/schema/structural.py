"""Whether a CRD's schema is structural, as Kubernetes demands; it never compiles it."""

from collections.abc import Mapping
from typing import Any

from kruntimes_core.dev.apiserver.errors import FieldError

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id", "$schema")
_JUNCTORS = ("allOf", "anyOf", "oneOf")


def structural_errors(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """What keeps a schema from being structural; the root must be an object."""
    if schema.get("type") != "object":
        detail = "must be object at the root"
        return [FieldError("FieldValueInvalid", f"{path}.type", schema.get("type", ""), detail)]
    return _errors(schema, path)


def _errors(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    wrong = [
        FieldError("FieldValueForbidden", f"{path}.{word}", None, f"{word} is not supported")
        for word in _FORBIDDEN
        if word in schema
    ]
    kind = schema.get("type")
    typeless = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind and not typeless:
        detail = "must not be empty for specified object fields"
        wrong.append(FieldError("FieldValueRequired", f"{path}.type", None, detail))
    elif kind and kind not in _TYPES:
        shown = ", ".join(f'"{each}"' for each in _TYPES)
        wrong.append(FieldError("FieldValueNotSupported", f"{path}.type", kind, f"supported values: {shown}"))
    if "properties" in schema and schema.get("additionalProperties"):
        detail = "additionalProperties and properties are mutual exclusive"
        wrong.append(FieldError("FieldValueForbidden", f"{path}.additionalProperties", None, detail))
    if kind == "array" and not isinstance(schema.get("items"), Mapping):
        wrong.append(FieldError("FieldValueRequired", f"{path}.items", None, "must be specified"))
    wrong += _undescribed(schema, path)
    for key, child in (schema.get("properties") or {}).items():
        wrong += _errors(child, f"{path}.properties[{key}]")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            wrong += _errors(schema[word], f"{path}.{word}")
    return wrong


def _undescribed(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """Fields that a junctor speaks of and the schema itself does not know."""
    known = schema.get("properties") or {}
    parts = [(f"{word}[{i}]", each) for word in _JUNCTORS for i, each in enumerate(schema.get(word) or ())]
    if "not" in schema:
        parts.append(("not", schema["not"]))
    return [
        FieldError(
            "FieldValueRequired",
            f"{path}.properties[{key}]",
            None,
            f"because it is defined in {path}.{place}.properties[{key}]",
        )
        for place, part in parts
        for key in part.get("properties") or {}
        if key not in known
    ]
