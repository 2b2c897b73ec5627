"""Validation of a structural schema, compiled once, with Kubernetes' own texts; it never knows CEL."""

import re
from collections.abc import Callable, Mapping, Sized
from typing import Any

import msgspec

from kruntimes_core.dev.apiserver.errors import FieldError
from kruntimes_core.dev.apiserver.schema.formats import FORMATS

Errors = list[FieldError]
Validate = Callable[[Any, str, Errors], None]
Check = Callable[[Any, str, Errors], None]

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
_INTEGERS = {"int32": 2**31, "int64": 2**63}


def compile_validator(schema: Mapping[str, Any]) -> Validate:
    """A function that appends what is wrong with a value at a path."""
    kind = schema.get("type")
    types = TYPES.get(kind or "")
    checks = _checks(schema)
    nullable = bool(schema.get("nullable"))
    int_or_string = bool(schema.get("x-kubernetes-int-or-string"))

    def validate(value: Any, path: str, errors: Errors) -> None:
        if value is None and nullable:
            return
        actual = type(value)
        if int_or_string and actual not in (int, str):
            errors.append(_wrong_type(value, path, "integer,string"))
            return
        if types is not None and actual not in types and not _is_whole(value, kind):
            errors.append(_wrong_type(value, path, kind))
            return
        for check in checks:
            check(value, path, errors)

    return validate


def _is_whole(value: Any, kind: str | None) -> bool:
    return kind == "integer" and type(value) is float and value.is_integer()


def _wrong_type(value: Any, path: str, wanted: str | None) -> FieldError:
    actual = _NAMES.get(type(value), "null")
    detail = f'{path} in body must be of type {wanted}: "{actual}"'
    return FieldError("FieldValueTypeInvalid", path, actual, detail)


def _checks(schema: Mapping[str, Any]) -> tuple[Check, ...]:
    made = [make(schema[word]) for word, make in _WORDS.items() if word in schema]
    made += [
        _limit(word, schema[word], bool(schema.get(f"exclusive{word.capitalize()}")))
        for word in ("minimum", "maximum")
        if word in schema
    ]
    if schema.get("x-kubernetes-list-type") in ("map", "set"):
        made.append(_distinct(tuple(schema.get("x-kubernetes-list-map-keys") or ())))
    return tuple(made)


def _properties(properties: Mapping[str, Any]) -> Check:
    children = {key: compile_validator(child) for key, child in properties.items()}

    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is not dict:
            return
        prefix = f"{path}." if path else ""
        for key, item in value.items():
            child = children.get(key)
            if child is not None:
                child(item, prefix + key, errors)

    return check


def _additional(schema: Any) -> Check:
    each = compile_validator(schema) if isinstance(schema, Mapping) else None

    def check(value: Any, path: str, errors: Errors) -> None:
        if each is not None and type(value) is dict:
            for key, item in value.items():
                each(item, f"{path}.{key}", errors)

    return check


def _items(schema: Mapping[str, Any]) -> Check:
    each = compile_validator(schema)

    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is list:
            for index, item in enumerate(value):
                each(item, f"{path}[{index}]", errors)

    return check


def _required(names: list[str]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is dict:
            for name in names:
                if name not in value:
                    errors.append(FieldError("FieldValueRequired", f"{path}.{name}" if path else name))

    return check


def _enum(allowed: list[Any]) -> Check:
    shown = ", ".join(
        f'"{each}"' if isinstance(each, str) else f'"{msgspec.json.encode(each).decode()}"'
        for each in allowed
    )

    def check(value: Any, path: str, errors: Errors) -> None:
        if value not in allowed:
            errors.append(FieldError("FieldValueNotSupported", path, value, f"supported values: {shown}"))

    return check


def _pattern(text: str) -> Check:
    search = re.compile(_python_pattern(text)).search

    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is str and search(value) is None:
            errors.append(
                FieldError("FieldValueInvalid", path, value, f"{path} in body should match '{text}'")
            )

    return check


def _python_pattern(text: str) -> str:
    """Go's `$` is the end of the text; Python's also stands before a last line break."""
    return re.sub(r"(?<!\\)\$$", r"\\Z", text)


def _format(name: str) -> Check:
    known, bound = FORMATS.get(name), _INTEGERS.get(name)

    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is str and known is not None and not known(value):
            detail = f'{path} in body must be of type {name}: "{value}"'
            errors.append(FieldError("FieldValueTypeInvalid", path, value, detail))
        elif type(value) is int and bound is not None and not -bound <= value < bound:
            detail = f"{path} in body must be of type {name}: {value}"
            errors.append(FieldError("FieldValueInvalid", path, value, detail))

    return check


def _limit(word: str, bound: float, exclusive: bool) -> Check:
    low = word == "minimum"
    texts = {(True, False): "greater than or equal to", (True, True): "greater than"}
    texts |= {(False, False): "less than or equal to", (False, True): "less than"}
    text = f"in body should be {texts[low, exclusive]} {bound}"

    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) not in (int, float):
            return
        beyond = value < bound if low else value > bound
        if beyond or (exclusive and value == bound):
            errors.append(FieldError("FieldValueInvalid", path, value, f"{path} {text}"))

    return check


def _at_least(kind: type[Sized], text: str) -> Callable[[int], Check]:
    def make(bound: int) -> Check:
        def check(value: Any, path: str, errors: Errors) -> None:
            if isinstance(value, kind) and len(value) < bound:
                detail = f"{path} in body {text.format(bound)}"
                errors.append(FieldError("FieldValueInvalid", path, value, detail))

        return check

    return make


def _at_most(kind: type[Sized]) -> Callable[[int], Check]:
    def make(bound: int) -> Check:
        def check(value: Any, path: str, errors: Errors) -> None:
            if isinstance(value, kind) and len(value) > bound:
                errors.append(_over(kind, path, len(value), bound))

        return check

    return make


def _over(kind: type[Sized], path: str, size: int, bound: int) -> FieldError:
    if kind is str:
        return FieldError("FieldValueTooLong", path, "", f"may not be more than {bound} bytes")
    return FieldError("FieldValueTooMany", path, size, f"must have at most {bound} items")


def _distinct(keys: tuple[str, ...]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) is not list:
            return
        seen = set()
        for index, item in enumerate(value):
            shown = {key: item.get(key) for key in keys} if keys and type(item) is dict else item
            token = msgspec.json.encode(shown, order="sorted")
            if token in seen:
                errors.append(FieldError("FieldValueDuplicate", f"{path}[{index}]", shown))
            seen.add(token)

    return check


def _unique(wanted: bool) -> Check:
    distinct = _distinct(())

    def check(value: Any, path: str, errors: Errors) -> None:
        found: Errors = []
        distinct(value, path, found)
        if wanted and found:
            errors.append(
                FieldError("FieldValueInvalid", path, value, f"{path} in body shouldn't contain duplicates")
            )

    return check


def _multiple_of(factor: float) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if type(value) in (int, float) and value % factor:
            detail = f"{path} in body should be a multiple of {factor}"
            errors.append(FieldError("FieldValueInvalid", path, value, detail))

    return check


def _holding(validators: list[Validate], value: Any, path: str) -> int:
    count = 0
    for validate in validators:
        found: Errors = []
        validate(value, path, found)
        count += not found
    return count


def _all_of(schemas: list[Mapping[str, Any]]) -> Check:
    validators = [compile_validator(schema) for schema in schemas]

    def check(value: Any, path: str, errors: Errors) -> None:
        for validate in validators:
            validate(value, path, errors)

    return check


def _some_of(exactly_one: bool) -> Callable[[list[Mapping[str, Any]]], Check]:
    def make(schemas: list[Mapping[str, Any]]) -> Check:
        validators = [compile_validator(schema) for schema in schemas]

        def check(value: Any, path: str, errors: Errors) -> None:
            count = _holding(validators, value, path)
            if count == 1 or (count and not exactly_one):
                return
            text = f'"{path}" must validate at least one schema (anyOf)'
            if exactly_one:
                found = f"Found {count} valid alternatives" if count else "Found none valid"
                text = f'"{path}" must validate one and only one schema (oneOf). {found}'
            errors.append(FieldError("FieldValueInvalid", path, "", text))

        return check

    return make


def _not(schema: Mapping[str, Any]) -> Check:
    validators = [compile_validator(schema)]

    def check(value: Any, path: str, errors: Errors) -> None:
        if _holding(validators, value, path):
            errors.append(
                FieldError("FieldValueInvalid", path, "", f'"{path}" must not validate the schema (not)')
            )

    return check


_WORDS: dict[str, Callable[[Any], Check]] = {
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "required": _required,
    "enum": _enum,
    "pattern": _pattern,
    "format": _format,
    "multipleOf": _multiple_of,
    "minLength": _at_least(str, "should be at least {} chars long"),
    "maxLength": _at_most(str),
    "minItems": _at_least(list, "should have at least {} items"),
    "maxItems": _at_most(list),
    "minProperties": _at_least(dict, "should have at least {} properties"),
    "maxProperties": _at_most(dict),
    "uniqueItems": _unique,
    "allOf": _all_of,
    "anyOf": _some_of(exactly_one=False),
    "oneOf": _some_of(exactly_one=True),
    "not": _not,
}
