"""Pruning and defaults of a structural schema, compiled once; it never changes a value in place."""

from collections.abc import Callable, Mapping
from typing import Any

Normalize = Callable[[Any], Any]
_EMBEDDED = ("apiVersion", "kind", "metadata")
_DROPPED: Any = object()


def compile_normalizer(schema: Mapping[str, Any]) -> Normalize | None:
    """A function that prunes and defaults a value of this schema; None when it would change nothing."""
    if schema.get("type") == "array":
        items = compile_normalizer(schema.get("items") or {})
        return _array(items) if items is not None else None
    if "additionalProperties" in schema and "properties" not in schema:
        values = schema["additionalProperties"]
        return _mapping(values) if isinstance(values, Mapping) else None
    if schema.get("type") == "object" or "properties" in schema:
        return _object(schema)
    return None


def _array(items: Normalize) -> Normalize:
    def normalize(value: Any) -> Any:
        if type(value) is not list:
            return value
        changed = [items(item) for item in value]
        return changed if any(new is not old for new, old in zip(changed, value, strict=True)) else value

    return normalize


def _mapping(values: Mapping[str, Any]) -> Normalize:
    each, nullable = compile_normalizer(values), bool(values.get("nullable"))

    def normalize(value: Any) -> Any:
        if type(value) is not dict:
            return value
        if not nullable and None in value.values():
            value = {key: item for key, item in value.items() if item is not None}
        if each is None:
            return value
        changed = {key: each(item) for key, item in value.items()}
        return changed if any(changed[key] is not value[key] for key in value) else value

    return normalize


def _object(schema: Mapping[str, Any]) -> Normalize | None:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    known = {key: compile_normalizer(child) for key, child in properties.items()}
    if schema.get("x-kubernetes-embedded-resource"):
        known |= dict.fromkeys(_EMBEDDED)
    defaults = {key: _default(child, known[key]) for key, child in properties.items() if "default" in child}
    # A null gives way to the default, or to nothing, where the schema does not allow it.
    never_null = {key for key, child in properties.items() if not child.get("nullable")}
    keeps_unknown = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if keeps_unknown and not properties:
        return None

    def normalize(value: Any) -> Any:
        if type(value) is not dict:
            return value
        changes: dict[str, Any] = {}
        for key, item in value.items():
            if key not in known:
                if not keeps_unknown:
                    changes[key] = _DROPPED
            elif item is None and key in never_null:
                changes[key] = defaults.get(key, _DROPPED)
            elif (child := known[key]) is not None and (new := child(item)) is not item:
                changes[key] = new
        for key in defaults.keys() - value.keys():
            changes[key] = defaults[key]
        if not changes:
            return value
        return {key: item for key, item in (value | changes).items() if item is not _DROPPED}

    return normalize


def _default(child: Mapping[str, Any], normalize: Normalize | None) -> Any:
    default = child["default"]
    return default if normalize is None else normalize(default)


def unknown_fields(schema: Mapping[str, Any], value: Any, path: str = "") -> list[str]:
    """The paths of the fields that pruning would drop, for a client that asks for strict decoding."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [p for i, item in enumerate(value) for p in unknown_fields(items, item, f"{path}[{i}]")]
    if not isinstance(value, dict):
        return []
    properties: Mapping[str, Any] = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    embedded = _EMBEDDED if schema.get("x-kubernetes-embedded-resource") else ()
    found: list[str] = []
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if key in properties:
            found += unknown_fields(properties[key], item, place)
        elif isinstance(additional, Mapping):
            found += unknown_fields(additional, item, place)
        elif (
            not additional and key not in embedded and not schema.get("x-kubernetes-preserve-unknown-fields")
        ):
            found.append(place)
    return found
