"""CEL rules of a schema, compiled once and run where a value changed; it never runs over what did not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cel

from kruntimes_core.dev.apiserver.errors import OMITTED, FieldError

Errors = list[FieldError]
MISSING: Any = object()
Check = Callable[[Any, Any, str, Errors], None]

# What the CEL library has not, and Kubernetes adds; a rule that uses one could only fail when it runs.
_KUBERNETES_ONLY = frozenset(
    [
        "quantity",
        "isQuantity",
        "isInteger",
        "asInteger",
        "asApproximateFloat",
        "url",
        "isURL",
        "getScheme",
        "getHost",
        "getHostname",
        "getPort",
        "getEscapedPath",
        "getQuery",
        "find",
        "findAll",
        "ip",
        "isIP",
        "cidr",
        "isCIDR",
        "containsIP",
        "containsCIDR",
        "format",
        "semver",
        "isSemver",
        "isSorted",
        "sum",
        "indexOf",
        "lastIndexOf",
        "split",
        "join",
        "replace",
        "substring",
        "lowerAscii",
        "upperAscii",
        "trim",
        "charAt",
    ]
)


_EVALUATION = (ValueError, RuntimeError, LookupError, TypeError, ArithmeticError)


class RuleError(ValueError):
    """A rule that this server cannot carry out."""


@dataclass(frozen=True)
class Rule:
    """One rule of x-kubernetes-validations."""

    program: cel.Program
    message: str
    message_program: cel.Program | None
    reason: str
    field_path: str
    transition: bool
    optional_old: bool


def compile_rule(rule: Mapping[str, Any]) -> Rule:
    """Compile one rule; the error of one that cannot be says which function is missing."""
    text = rule.get("rule", "")
    expression = rule.get("messageExpression")
    program = _compile(text)
    return Rule(
        program=program,
        message=rule.get("message") or f"failed rule: {text}",
        message_program=_compile(expression) if expression else None,
        reason=rule.get("reason") or "FieldValueInvalid",
        field_path=rule.get("fieldPath") or "",
        transition="oldSelf" in program.variables(),
        optional_old=bool(rule.get("optionalOldSelf")),
    )


def _compile(text: str) -> cel.Program:
    try:
        program = cel.compile(text)
        names = set(program.functions())
    except (ValueError, RuntimeError) as error:
        raise RuleError(f"compilation failed: {error}") from error
    missing = sorted(names & _KUBERNETES_ONLY)
    if missing:
        raise RuleError(
            f"compilation failed: undeclared reference to '{missing[0]}' "
            "(the embedded API server knows core CEL, without Kubernetes' own functions)"
        )
    return program


def compile_rules(schema: Mapping[str, Any]) -> Check | None:
    """A function that runs the rules of a schema and of everything in it; None when there are none."""
    own = [compile_rule(rule) for rule in schema.get("x-kubernetes-validations") or ()]
    inner = _inner(schema)
    if not own:
        return inner
    type_name = schema.get("type") or "object"

    def check(value: Any, old: Any, path: str, errors: Errors) -> None:
        if value is old:
            return
        for rule in own:
            if rule.transition and old is MISSING and not rule.optional_old:
                continue
            try:
                failed = _failure(rule, value, old)
            except _EVALUATION as error:
                detail = f"{error} evaluating rule: {rule.message}"
                errors.append(FieldError("FieldValueInvalid", path, type_name, detail))
                continue
            if failed is not None:
                shown = OMITTED if type_name in ("object", "array") else value
                errors.append(FieldError(rule.reason, path + rule.field_path, shown, failed))
        if inner is not None:
            inner(value, old, path, errors)

    return check


def _failure(rule: Rule, value: Any, old: Any) -> str | None:
    variables = {"self": value}
    if rule.transition:
        variables["oldSelf"] = _optional(old) if rule.optional_old else old
    if rule.program.execute(variables) is True:
        return None
    if rule.message_program is not None:
        try:
            text = rule.message_program.execute(variables)
        except _EVALUATION:
            return rule.message  # as Kubernetes does: the fixed message stands in
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.message


def _optional(old: Any) -> cel.OptionalValue:
    return cel.OptionalValue.none() if old is MISSING else cel.OptionalValue.of(old)


def _inner(schema: Mapping[str, Any]) -> Check | None:
    if isinstance(schema.get("items"), Mapping):
        each = compile_rules(schema["items"])
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        return None if each is None else _of_items(each, keys)
    if isinstance(schema.get("additionalProperties"), Mapping):
        each = compile_rules(schema["additionalProperties"])
        return None if each is None else _of_values(each)
    compiled = {key: compile_rules(child) for key, child in (schema.get("properties") or {}).items()}
    children = {key: check for key, check in compiled.items() if check is not None}
    return _of_properties(children) if children else None


def _of_properties(children: Mapping[str, Check]) -> Check:
    def check(value: Any, old: Any, path: str, errors: Errors) -> None:
        if value is old or type(value) is not dict:
            return
        before = old if type(old) is dict else {}
        prefix = f"{path}." if path else ""
        for key, child in children.items():
            if key in value and value[key] is not None:
                child(value[key], before.get(key, MISSING), prefix + key, errors)

    return check


def _of_values(each: Check) -> Check:
    def check(value: Any, old: Any, path: str, errors: Errors) -> None:
        if value is old or type(value) is not dict:
            return
        before = old if type(old) is dict else {}
        for key, item in value.items():
            each(item, before.get(key, MISSING), f"{path}.{key}", errors)

    return check


def _of_items(each: Check, keys: tuple[str, ...]) -> Check:
    """Items have an old self only where keys tell which one it is."""

    def check(value: Any, old: Any, path: str, errors: Errors) -> None:
        if value is old or type(value) is not list:
            return
        before = {_identity(item, keys): item for item in old} if keys and type(old) is list else {}
        for index, item in enumerate(value):
            each(
                item,
                before.get(_identity(item, keys), MISSING) if keys else MISSING,
                f"{path}[{index}]",
                errors,
            )

    return check


def _identity(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys) if type(item) is dict else ()
