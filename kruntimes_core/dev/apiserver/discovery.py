"""What the server tells about itself: groups, versions, resources, in the old and the aggregated form."""

from typing import Any

from kruntimes_core.dev.apiserver.resources import Object, Registry, Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
_PART_VERBS = ["get", "patch", "update"]
VERSION: Object = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+kruntimes",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "python",
    "platform": "linux/amd64",
}


def wants_aggregated(accept: str) -> bool:
    """Whether a client prefers the aggregated form that this server has."""
    first = accept.replace(" ", "").split(",")[0]
    return "as=APIGroupDiscoveryList" in first and "v=v2" in first.split(";")


def core_versions() -> Object:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
    }


def group_list(registry: Registry) -> Object:
    """`/apis`."""
    groups = [_group(name, list(versions)) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """`/apis/GROUP`."""
    versions = registry.groups().get(name)
    if not name or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, list(versions))


def _group(name: str, versions: list[str]) -> Object:
    shown = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Object | None:
    """`/api/v1` and `/apis/GROUP/VERSION`."""
    resources = registry.groups().get(group_name, {}).get(version)
    if resources is None:
        return None
    shown = [entry for resource in resources for entry in _entries(resource)]
    address = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": address, "resources": shown}


def _parts(resource: Resource) -> list[tuple[str, str, Object]]:
    """The subresources: name, kind, and where that kind is from."""
    found: list[tuple[str, str, Object]] = []
    if resource.has_status:
        found.append(("status", resource.kind, {}))
    if resource.scale is not None:
        found.append(("scale", "Scale", {"group": "autoscaling", "version": "v1"}))
    if resource.has_log:
        found.append(("log", resource.kind, {}))
    return found


def _verbs(resource: Resource) -> list[str]:
    if resource.custom:
        return _CUSTOM_VERBS
    return [verb for verb in _VERBS if resource.kind != "Namespace" or verb != "deletecollection"]


def _entries(resource: Resource) -> list[Object]:
    main: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    parts = [
        {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": ["get"] if name == "log" else _PART_VERBS,
        }
        | origin
        for name, kind, origin in _parts(resource)
    ]
    return [main, *parts]


def aggregated(registry: Registry, *, core: bool) -> Object:
    """`/api` or `/apis` in one document with everything in it."""
    items = [
        {"metadata": {"name": name} if name else {}, "versions": _aggregated_versions(versions)}
        for name, versions in registry.groups().items()
        if bool(name) is not core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_versions(versions: dict[str, list[Resource]]) -> list[Object]:
    return [
        {"version": version, "resources": [_aggregated(each) for each in resources], "freshness": "Current"}
        for version, resources in versions.items()
    ]


def _aggregated(resource: Resource) -> Object:
    own = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    found["subresources"] = [
        {
            "subresource": name,
            "responseKind": own | {"kind": kind} | origin,
            "verbs": ["get"] if name == "log" else _PART_VERBS,
        }
        for name, kind, origin in _parts(resource)
    ]
    return found
