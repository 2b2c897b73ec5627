"""Parameters of a Run are checked against the server's schema, and a fault names its path."""

import json

import pytest

from kruntimes_core.apps.daemon.parameters import BadSchema, Parameters

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "steps": {"type": "array", "items": {"type": "integer"}},
            "mode": {"enum": ["a", "b"]},
        },
        "additionalProperties": False,
    }
)

CASES = {
    "no parameters": (SCHEMA, "", ""),
    "good ones": (SCHEMA, '{"steps": [1], "mode": "a"}', ""),
    "a wrong item": (SCHEMA, '{"steps": [1, "x"]}', "spec.parameters.steps[1]: "),
    "a wrong value": (SCHEMA, '{"mode": "c"}', "spec.parameters.mode: "),
    "an unknown name": (SCHEMA, '{"mood": 1}', "spec.parameters: "),
    "a missing one": ('{"required": ["x"]}', "", "spec.parameters: "),
    "none taken, none given": ("", "{}", ""),
    "none taken, some given": ("", '{"x": 1}', "spec.parameters: this Runtime's server takes no parameters"),
}


@pytest.mark.parametrize(("schema", "parameters", "want"), CASES.values(), ids=CASES.keys())
def test_faults_are_found(schema: str, parameters: str, want: str) -> None:
    fault = Parameters(schema).find_fault(parameters)

    assert fault.startswith(want)
    assert bool(fault) == bool(want)


@pytest.mark.parametrize("schema", ["{", '{"type": "no such"}', "[]"])
def test_a_schema_that_cannot_be_used_is_refused(schema: str) -> None:
    with pytest.raises(BadSchema):
        Parameters(schema)
