"""Names, labels and annotations that Kubernetes would refuse are refused here too."""

from typing import Any

import pytest

from kruntimes_core.dev.apiserver.builtin import BUILTIN
from kruntimes_core.dev.apiserver.metadata_rules import metadata_errors


def faults(kind: str = "ConfigMap", name: str = "a", **metadata: Any) -> list[str]:
    resource = next(each for each in BUILTIN if each.kind == kind)
    return [str(each) for each in metadata_errors(resource, {"metadata": {"name": name} | metadata}, None)]


GOOD: dict[str, dict[str, Any]] = {
    "a plain label": {"labels": {"team": "blue"}},
    "a label with a prefix and no value": {"labels": {"example.org/team": ""}},
    "an annotation of any text": {"annotations": {"note": "a/b c\n"}},
    "a Namespace": {"kind": "Namespace", "name": "a-b"},
    "a role with a colon": {"kind": "Role", "name": "a:b"},
}


@pytest.mark.parametrize("given", GOOD.values(), ids=GOOD)
def test_what_is_well_formed_passes(given: dict[str, Any]) -> None:
    assert faults(**given) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a key with two slashes": (
        {"labels": {"a/b/c": "1"}},
        'metadata.labels: Invalid value: "a/b/c": a valid label key',
    ),
    "a prefix that is no domain": (
        {"annotations": {"A_b/c": "1"}},
        'metadata.annotations: Invalid value: "A_b/c": prefix',
    ),
    "a key without a name": ({"labels": {"a/": "1"}}, 'metadata.labels: Invalid value: "a/": a valid'),
    "a long key": ({"labels": {"k" * 64: "1"}}, "name part must be no more than 63 bytes"),
    "a value with a slash": (
        {"labels": {"a": "b/c"}},
        'metadata.labels: Invalid value: "b/c": a valid label',
    ),
    "a long value": ({"labels": {"a": "v" * 64}}, "must be no more than 63 bytes"),
    "a value that is a number": (
        {"labels": {"a": 1}},
        "metadata.labels.a: Invalid value: 1: must be a string",
    ),
    "a Namespace with a dot": ({"kind": "Namespace", "name": "a.b"}, "a lowercase RFC 1123 label"),
    "a Namespace with a long name": ({"kind": "Namespace", "name": "n" * 64}, "no more than 63"),
}


@pytest.mark.parametrize(("given", "want"), BAD.values(), ids=BAD)
def test_what_is_not_is_refused_with_the_reason(given: dict[str, Any], want: str) -> None:
    (fault,) = faults(**given)
    assert want in fault
