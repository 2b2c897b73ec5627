"""What a request asks for, read from its method, path and query; it never looks at an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from kruntimes_core.dev.apiserver.errors import bad_request, no_such_resource
from kruntimes_core.dev.apiserver.resources import Registry, Resource

_VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = {"1", "t", "true"}


@dataclass(frozen=True)
class Ask:
    """One request for a resource, an object or a part of it."""

    verb: str
    resource: Resource
    namespace: str | None
    name: str | None
    subresource: str
    query: Mapping[str, str]

    def flag(self, name: str) -> bool:
        """A query parameter that is a truth value."""
        return self.query.get(name, "").lower() in _TRUE

    def number(self, name: str) -> int | None:
        """A query parameter that is a number."""
        text = self.query.get(name)
        if not text:
            return None
        if not text.isdecimal():
            raise bad_request(f'{name}: Invalid value: "{text}": must be a number')
        return int(text)

    @property
    def dry_run(self) -> bool:
        """Whether the write is to be judged and not made."""
        asked = self.query.get("dryRun", "")
        if asked not in ("", "All"):
            raise bad_request(f'dryRun: Unsupported value: "{asked}": supported values: "All"')
        return asked == "All"


def read(registry: Registry, method: str, path: str, query: Mapping[str, str]) -> Ask | None:
    """The request for a resource, or None when the path is of no group that is served."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace, rest = _namespace(rest)
    resource = registry.get(group, version, rest[0])
    if resource is None:
        # As the paths of a real server: those of custom resources have nobody who speaks for their group.
        known = [each for each in registry if each.group == group and each.version == version]
        if all(each.custom for each in known):
            return None
        raise no_such_resource()
    name = rest[1] if len(rest) > 1 and rest[1] else None
    if len(rest) > 3 or (namespace is not None and not resource.namespaced):
        raise no_such_resource()
    if resource.namespaced and namespace is None and name is not None:
        raise no_such_resource()
    subresource = rest[2] if len(rest) > 2 else ""
    return Ask(_verb(method, name, query), resource, namespace, name, subresource, query)


def _namespace(parts: list[str]) -> tuple[str | None, list[str]]:
    """`namespaces/NS/pods` is about pods; `namespaces/NS` and its subresources about the namespace."""
    if parts[0] != "namespaces" or len(parts) < 3 or parts[2] in ("status", "finalize"):
        return None, parts
    return parts[1], parts[2:]


def _verb(method: str, name: str | None, query: Mapping[str, str]) -> str:
    verb = _VERBS.get(method, method.lower())
    if verb == "get" and query.get("watch", "").lower() in _TRUE:
        return "watch"
    if name is None:
        return {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return verb
