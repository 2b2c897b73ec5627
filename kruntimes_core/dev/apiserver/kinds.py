"""The schemas of the built-in kinds, read from kinds.txt when someone asks for them; it never validates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kruntimes_core.dev.apiserver.resources import Object

_FILE = Path(__file__).parent / "kinds.txt"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META = f"{_META}.ObjectMeta"
_PACKAGES = {
    "": "io.k8s.api.core.v1",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
}
_ELSEWHERE: dict[str, tuple[str, Object]] = {
    "Quantity": ("io.k8s.apimachinery.pkg.api.resource.Quantity", {"type": "string"}),
    "IntOrString": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {"type": "string", "format": "int-or-string"},
    ),
}
_TIMES = ("time", "microtime")
# What every object has: the server's own words for it.
_TYPE = {
    "apiVersion": {"type": "string", "description": "Group and version of the kind."},
    "kind": {"type": "string", "description": "Kind of the object, in CamelCase."},
}
METADATA: Object = {
    "description": "What every object carries: its name, labels and the like.",
    "allOf": [{"$ref": f"#/components/schemas/{OBJECT_META}"}],
}
ENVELOPE: Object = {**_TYPE, "metadata": METADATA}


def name_of(group: str, kind: str) -> str:
    """What the schema of a built-in kind is called."""
    package = _PACKAGES.get(group) or f"io.k8s.api.{group.partition('.')[0]}.v1"
    return f"{package}.{kind}"


def read() -> dict[str, Object]:
    """All schemas by name."""
    found: dict[str, Object] = dict(_ELSEWHERE.values())
    package = ""
    current: Object = {}
    for line in _FILE.read_text().splitlines():
        head, _, meaning = line.partition(" | ")
        if line.startswith("["):
            package = line.strip("[]")
        elif line.startswith("  "):
            name, kind = head.strip().split(" ", 1)
            current["properties"][name] = _field(kind.removesuffix("!"), package, meaning)
            if kind.endswith("!"):
                current.setdefault("required", []).append(name)
        elif meaning:
            properties = dict(ENVELOPE) if "*" in head else {}
            current = {"type": "object", "description": meaning, "properties": properties}
            if head.endswith("!"):
                current["required"] = ["metadata"]
            found[f"{package}.{head.rstrip('*!')}"] = current
    return found


def _field(kind: str, package: str, meaning: str) -> Object:
    schema = _typed(kind, package)
    if "$ref" in schema:
        return {"description": meaning, "allOf": [schema]}
    return {"description": meaning} | schema


def _typed(kind: str, package: str) -> Object:
    if kind.startswith("[]"):
        return {"type": "array", "items": _typed(kind[2:], package)}
    if kind.startswith("map "):
        return {"type": "object", "additionalProperties": _typed(kind[4:], package)}
    if kind in _TIMES:
        return {"type": "string", "format": "date-time"}
    if kind in _ELSEWHERE:
        return _reference(_ELSEWHERE[kind][0])
    if kind[0].islower() and "." not in kind:
        return {"type": kind}
    return _reference(kind if "." in kind else f"{package}.{kind}")


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def closure(names: list[str], schemas: dict[str, Object]) -> dict[str, Object]:
    """These schemas and all they refer to; one that is not described here is an object of any content."""
    found: dict[str, Object] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas.get(name, {"type": "object"})
            waiting += _references(found[name])
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
