"""Schemas: pruning, defaults, validation in Kubernetes' words, and CEL rules."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kruntimes_core.dev.apiserver.schema import Schema
from kruntimes_core.dev.apiserver.schema.rules import RuleError, compile_rule
from kruntimes_core.dev.apiserver.schema.structural import structural_errors
from kruntimes_core.dev.crds import load_crds


def schema_of(spec: dict[str, Any]) -> Schema:
    return Schema({"type": "object", "properties": {"spec": spec}})


def make(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": spec}


def texts(spec: dict[str, Any], value: Any, old: Any = None) -> list[str]:
    schema = schema_of(spec)
    before = None if old is None else make(old)
    return [str(error) for error in schema.errors(schema.normalize(make(value), before), before)]


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
INVALID: dict[str, tuple[dict[str, Any], Any, str]] = {
    "type": (NUMBER, "a", 'spec: Invalid value: "string": spec in body must be of type integer: "string"'),
    "truth is no number": (NUMBER, True, 'Invalid value: "boolean": spec in body must be of type integer'),
    "null": (
        {"type": "array", "items": TEXT},
        [None],
        'spec[0]: Invalid value: "null": spec[0] in body must be of type string: "null"',
    ),
    "enum": (
        TEXT | {"enum": ["a", "b"]},
        "c",
        'spec: Unsupported value: "c": supported values: "a", "b"',
    ),
    "pattern": (
        TEXT | {"pattern": "^a$"},
        "a\n",
        "spec: Invalid value: \"a\\n\": spec in body should match '^a$'",
    ),
    "maxLength": (TEXT | {"maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
    "minLength": (TEXT | {"minLength": 2}, "a", "spec in body should be at least 2 chars long"),
    "minimum": (
        NUMBER | {"minimum": 1},
        0,
        "spec: Invalid value: 0: spec in body should be greater than or equal to 1",
    ),
    "maximum": (
        NUMBER | {"maximum": 1, "exclusiveMaximum": True},
        1,
        "spec: Invalid value: 1: spec in body should be less than 1",
    ),
    "multipleOf": (NUMBER | {"multipleOf": 5}, 7, "spec in body should be a multiple of 5"),
    "int32": (NUMBER | {"format": "int32"}, 2**31, "spec in body must be of type int32: 2147483648"),
    "date-time": (
        TEXT | {"format": "date-time"},
        "2026-13-01T00:00:00Z",
        'spec: Invalid value: "2026-13-01T00:00:00Z": spec in body must be of type date-time',
    ),
    "maxItems": (
        {"type": "array", "items": NUMBER, "maxItems": 1},
        [1, 2],
        "spec: Too many: 2: must have at most 1 items",
    ),
    "items": ({"type": "array", "items": NUMBER}, [1, "b"], 'spec[1]: Invalid value: "string"'),
    "set": (
        {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
        ["a", "a"],
        'spec[1]: Duplicate value: "a"',
    ),
    "maxProperties": (
        {"type": "object", "additionalProperties": NUMBER, "maxProperties": 1},
        {"a": 1, "b": 2},
        "spec: Too many: 2: must have at most 1 items",
    ),
    "additionalProperties": (
        {"type": "object", "additionalProperties": NUMBER},
        {"a": "x"},
        "spec.a: Invalid",
    ),
    "int or string": ({"x-kubernetes-int-or-string": True}, 1.5, "must be of type integer,string"),
    "anyOf": (
        NUMBER | {"anyOf": [{"minimum": 5}, {"maximum": 2}]},
        3,
        '"spec" must validate at least one schema (anyOf)',
    ),
    "oneOf": (
        NUMBER | {"oneOf": [{"minimum": 2}, {"maximum": 5}]},
        3,
        '"spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ),
    "not": (NUMBER | {"not": {"minimum": 3}}, 3, '"spec" must not validate the schema (not)'),
}


@pytest.mark.parametrize(("spec", "value", "want"), INVALID.values(), ids=INVALID.keys())
def test_what_is_wrong_is_said_as_kubernetes_says_it(spec: dict[str, Any], value: Any, want: str) -> None:
    assert want in texts(spec, value)[0]


VALID: dict[str, tuple[dict[str, Any], Any]] = {
    "a nullable null": (TEXT | {"nullable": True}, None),
    "a whole float": (NUMBER, 3.0),
    "a number that is an integer": ({"type": "number"}, 3),
    "microseconds": (TEXT | {"format": "date-time"}, "2026-11-24T15:00:00.123456Z"),
    "an unknown format": (TEXT | {"format": "colour"}, "??"),
}


@pytest.mark.parametrize(("spec", "value"), VALID.values(), ids=VALID.keys())
def test_what_is_right_is_taken(spec: dict[str, Any], value: Any) -> None:
    assert texts(spec, value) == []


DEFAULTS = {
    "type": "object",
    "properties": {
        "size": NUMBER | {"default": 3},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"n": NUMBER}},
        "inner": {"type": "object", "default": {}, "properties": {"deep": TEXT | {"default": "d"}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"a": TEXT | {"default": "x"}}}},
        "table": {"type": "object", "additionalProperties": {"type": "object", "properties": {"b": NUMBER}}},
        "whole": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": TEXT}},
    },
}
NORMALIZED: dict[str, tuple[Any, Any]] = {
    "defaults reach down": ({}, {"size": 3, "inner": {"deep": "d"}}),
    "null gives way to a default": ({"size": None}, {"size": 3, "inner": {"deep": "d"}}),
    "items and values are pruned": (
        {"list": [{"z": 1}], "table": {"k": {"b": 1, "c": 2}}, "odd": 1},
        {"list": [{"a": "x"}], "table": {"k": {"b": 1}}, "size": 3, "inner": {"deep": "d"}},
    ),
    "what is free stays whole": (
        {"free": {"any": {"thing": 1}}},
        {"free": {"any": {"thing": 1}}, "size": 3, "inner": {"deep": "d"}},
    ),
    "an embedded object keeps its envelope": (
        {"whole": {"kind": "K", "metadata": {"x": 1}, "odd": 1}},
        {"whole": {"kind": "K", "metadata": {"x": 1}}, "size": 3, "inner": {"deep": "d"}},
    ),
}


@pytest.mark.parametrize(("spec", "want"), NORMALIZED.values(), ids=NORMALIZED.keys())
def test_pruning_and_defaults(spec: Any, want: Any) -> None:
    before = copy.deepcopy(spec)
    assert schema_of(DEFAULTS).normalize(make(spec), None)["spec"] == want
    assert spec == before


@given(
    st.dictionaries(
        st.sampled_from(["size", "free", "inner", "list", "table", "odd"]),
        st.none()
        | st.integers()
        | st.dictionaries(st.sampled_from("abn"), st.integers())
        | st.lists(st.just({})),
    )
)
def test_normalizing_twice_is_normalizing_once(spec: dict[str, Any]) -> None:
    schema = schema_of(DEFAULTS)
    once = schema.normalize(make(spec), None)
    assert schema.normalize(once, None) == once


def test_unknown_fields_are_named_by_their_path() -> None:
    spec = {"odd": 1, "list": [{"a": "x"}, {"z": 1}], "free": {"any": 1}, "inner": {"deeper": 1}}
    assert schema_of(DEFAULTS).unknown(make(spec) | {"extra": 1}) == [
        "spec.odd",
        "spec.list[1].z",
        "spec.inner.deeper",
        "extra",
    ]


def rules(*found: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "x-kubernetes-validations": list(found)}


def test_a_transition_rule_waits_for_a_change() -> None:
    spec = rules({"rule": "self.a >= oldSelf.a", "message": "never less"}, a=NUMBER)
    assert texts(spec, {"a": 1}) == []
    assert texts(spec, {"a": 1}, {"a": 1}) == []
    assert texts(spec, {"a": 0}, {"a": 1}) == ["spec: Invalid value: never less"]


def test_a_rule_can_say_where_why_and_which_reason() -> None:
    spec = rules(
        {"rule": "self.a > 0", "messageExpression": "'a is ' + string(self.a)", "fieldPath": ".a"},
        {"rule": "self.a > 0", "reason": "FieldValueForbidden"},
        a=NUMBER,
    )
    assert texts(spec, {"a": 0}) == [
        "spec.a: Invalid value: a is 0",
        "spec: Forbidden: failed rule: self.a > 0",
    ]


def test_items_of_a_keyed_list_have_an_old_self() -> None:
    item = rules({"rule": "self.v == oldSelf.v", "message": "fixed"}, k=TEXT, v=NUMBER)
    keyed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    }
    old = [{"k": "a", "v": 1}, {"k": "b", "v": 2}]
    assert texts(keyed, [{"k": "b", "v": 2}, {"k": "c", "v": 9}], old) == []
    assert texts(keyed, [{"k": "b", "v": 3}], old) == ["spec[0]: Invalid value: fixed"]
    assert texts({"type": "array", "items": item}, [{"k": "b", "v": 3}], old) == []


def test_rules_wait_until_the_schema_holds() -> None:
    spec = rules({"rule": "self.a > 0"}, a=NUMBER)
    first, second = texts(spec, {"a": "x"})
    assert first.startswith("spec.a: Invalid value")
    assert second.startswith("<nil>: Invalid value: null: some validation rules were not checked")


def test_a_rule_that_cannot_be_evaluated_fails() -> None:
    spec = rules({"rule": "self.missing == 1"}, a=NUMBER)
    assert texts(spec, {"a": 1}) == [
        "spec: Invalid value: \"object\": 'missing' evaluating rule: failed rule: self.missing == 1"
    ]


@pytest.mark.parametrize("rule", ["self.a ==", "quantity(self.a).isInteger()", "url(self.a) != null"])
def test_a_rule_that_cannot_be_carried_out_is_refused_at_once(rule: str) -> None:
    with pytest.raises(RuleError, match="compilation failed"):
        compile_rule({"rule": rule})


def test_a_junctor_may_not_know_more_fields_than_the_schema() -> None:
    schema = {"type": "object", "properties": {}, "anyOf": [{"properties": {"a": {"minimum": 1}}}]}
    (error,) = structural_errors(schema, "schema")
    assert str(error) == (
        "schema.properties[a]: Required value: because it is defined in schema.anyOf[0].properties[a]"
    )


def test_the_crds_of_this_project_are_structural_and_bounded() -> None:
    def unbounded(schema: dict[str, Any], path: str) -> list[str]:
        limits = {"string": "maxLength", "array": "maxItems"}
        kind = "map" if "additionalProperties" in schema else schema.get("type", "")
        limit = "maxProperties" if kind == "map" else limits.get(kind)
        known = "enum" in schema or schema.get("format") == "date-time"
        found = [path] if limit and limit not in schema and not known else []
        children = {f"{path}.{key}": child for key, child in (schema.get("properties") or {}).items()}
        children |= {f"{path}[]": schema[w] for w in ("items", "additionalProperties") if w in schema}
        return found + [p for place, child in children.items() for p in unbounded(child, place)]

    for crd in load_crds():
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        assert structural_errors(schema, "") == []
        for part in ("spec", "status"):
            assert unbounded(schema["properties"][part], part) == []


def test_an_untouched_part_is_not_looked_at_again() -> None:
    schema = schema_of(NUMBER)
    old = make("long invalid")
    assert schema.errors(old | {"status": {}}, old) == []
    assert schema.errors(old, None) != []
