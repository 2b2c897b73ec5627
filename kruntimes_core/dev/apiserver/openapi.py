"""The OpenAPI documents, made when kubectl asks for one: addresses and schemas; it never validates."""

from typing import Any

from kruntimes_core.dev.apiserver import kinds
from kruntimes_core.dev.apiserver.resources import Object, Registry, Resource

_INFO = {"title": "kruntimes embedded API server", "version": "v1"}


def index(registry: Registry) -> Object:
    """`/openapi/v3`: where the document of each version is."""
    paths = {}
    for resource in registry:
        address = _address(resource.group, resource.version)
        paths[address] = {"serverRelativeURL": f"/openapi/v3/{address}"}
    return {"paths": paths}


def _address(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(registry: Registry, address: str) -> Object | None:
    """The document of one version."""
    found = [r for r in registry if _address(r.group, r.version) == address]
    if not found:
        return None
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    known = kinds.read()
    for resource in found:
        base = f"/{address}" + ("/namespaces/{namespace}" if resource.namespaced else "")
        paths[f"{base}/{resource.plural}"] = {"post": _operation(resource, "post")}
        paths[f"{base}/{resource.plural}/{{name}}"] = {
            "get": _operation(resource, "get"),
            "put": _operation(resource, "put"),
            "patch": _operation(resource, "patch"),
        }
        schemas |= _schemas(resource, known)
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def _schemas(resource: Resource, known: dict[str, Object]) -> dict[str, Object]:
    """The schema of a resource, with all that it refers to."""
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    if resource.schema is None:
        name = kinds.name_of(resource.group, resource.kind)
        found = kinds.closure([name], known)
    else:
        name = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        own = _plain(resource.schema.raw)
        properties = own.get("properties", {}) | kinds.ENVELOPE
        found = {name: own | {"properties": properties}} | kinds.closure([kinds.OBJECT_META], known)
    return found | {name: found[name] | {"x-kubernetes-group-version-kind": [kind]}}


def _operation(resource: Resource, verb: str) -> Object:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    names = [] if verb == "get" else ["dryRun", "fieldManager", "fieldValidation"]
    return {
        "operationId": f"{verb}{resource.kind}",
        "parameters": [{"name": n, "in": "query", "schema": {"type": "string"}} for n in names],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": kind,
    }


def _plain(schema: Object) -> Object:
    """A schema without the rules, which OpenAPI readers have no use for."""
    result = {key: value for key, value in schema.items() if key != "x-kubernetes-validations"}
    for word in ("items", "additionalProperties"):
        if isinstance(result.get(word), dict):
            result[word] = _plain(result[word])
    if "properties" in result:
        result["properties"] = {key: _plain(child) for key, child in result["properties"].items()}
    return result


def swagger(registry: Registry) -> Object:
    """`/openapi/v2`, for clients that know no other."""
    paths: dict[str, Any] = {}
    for resource in registry:
        found = document(registry, _address(resource.group, resource.version)) or {}
        paths |= found["paths"]
    return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": {}}
