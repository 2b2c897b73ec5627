"""The schema of one custom resource, ready to use: what it makes of an object, and what it refuses."""

from collections.abc import Mapping
from typing import Any

from kruntimes_core.dev.apiserver.errors import FieldError
from kruntimes_core.dev.apiserver.schema.normalize import compile_normalizer, unknown_fields
from kruntimes_core.dev.apiserver.schema.rules import MISSING, compile_rules
from kruntimes_core.dev.apiserver.schema.validate import compile_validator

Object = dict[str, Any]
_ENVELOPE = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
_BLOCKING = {
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}
_UNCHECKED = FieldError(
    "FieldValueInvalid",
    "<nil>",
    None,
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


class Schema:
    """Compiled once for each version of a CRD; parts of an object that did not change cost nothing."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        parts = {k: v for k, v in (raw.get("properties") or {}).items() if k not in _ENVELOPE}
        self.raw = dict(raw)
        self._shape = dict(raw) | {"properties": parts | _ENVELOPE}
        self._normalizers = {key: compile_normalizer(child) for key, child in parts.items()}
        self._defaults = {key: child["default"] for key, child in parts.items() if "default" in child}
        self._nullable = {key for key, child in parts.items() if child.get("nullable")}
        self._keeps_unknown = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self._validators = {key: compile_validator(child) for key, child in parts.items()}
        self._whole = compile_validator({k: v for k, v in raw.items() if k != "properties"})
        self._rules = compile_rules(dict(raw) | {"properties": parts})

    def normalize(self, obj: Object, old: Object | None) -> Object:
        """The object without unknown fields and with its defaults; parts still `old` are left alone."""
        before = old or {}
        result: Object = {}
        for key, value in obj.items():
            if key in _ENVELOPE or (key in before and value is before[key]):
                result[key] = value
            elif key not in self._normalizers:
                if self._keeps_unknown:
                    result[key] = value
            elif value is not None or key in self._nullable:
                result[key] = self._part(key, value)
        for key, default in self._defaults.items():
            if key not in result:
                result[key] = self._part(key, default)
        return result

    def _part(self, key: str, value: Any) -> Any:
        normalize = self._normalizers[key]
        return value if normalize is None else normalize(value)

    def unknown(self, obj: Object) -> list[str]:
        """The fields that `normalize` would drop."""
        envelope = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
        rest = {key: value for key, value in obj.items() if key not in _ENVELOPE}
        return unknown_fields(self._shape, envelope | rest)

    def errors(self, obj: Object, old: Object | None) -> list[FieldError]:
        """What is wrong with an object; what is the very same value as before is not looked at again."""
        errors: list[FieldError] = []
        self._whole(obj, "", errors)
        for key, validate in self._validators.items():
            if key in obj and (old is None or obj[key] is not old.get(key, MISSING)):
                validate(obj[key], key, errors)
        if self._rules is None:
            return errors
        if any(error.reason in _BLOCKING for error in errors):
            errors.append(_UNCHECKED)
        else:
            self._rules(obj, MISSING if old is None else old, "", errors)
        return errors
