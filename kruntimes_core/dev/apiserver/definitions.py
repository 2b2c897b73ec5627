"""CustomResourceDefinitions: what is wrong with one, and the resources it serves; it never stores one."""

from collections.abc import Iterator, Mapping
from typing import Any

from kruntimes_core.dev.apiserver.errors import FieldError
from kruntimes_core.dev.apiserver.resources import NAME, Column, Object, Resource, Scale
from kruntimes_core.dev.apiserver.schema import Schema
from kruntimes_core.dev.apiserver.schema.rules import RuleError
from kruntimes_core.dev.apiserver.schema.structural import structural_errors

GROUP, PLURAL = "apiextensions.k8s.io", "customresourcedefinitions"
BUCKET = f"{GROUP}/{PLURAL}"
_ESTABLISHED = "the initial names have been accepted"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def is_crd(resource: Resource) -> bool:
    """Whether the resource is the one of CRDs."""
    return resource.bucket == BUCKET


def established(obj: Object, time: str) -> Object:
    """A CRD at its creation: its names accepted and its kinds served at once."""
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    kind = names.get("kind") or ""
    names = {"listKind": f"{kind}List", "singular": kind.lower()} | names
    conditions = [
        {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"},
        {
            "type": "Established",
            "reason": "InitialNamesAccepted",
            "message": _ESTABLISHED,
        },
    ]
    stored = [v.get("name") for v in spec.get("versions") or () if isinstance(v, dict) and v.get("storage")]
    status = {
        "conditions": [each | {"status": "True", "lastTransitionTime": time} for each in conditions],
        "acceptedNames": names,
        "storedVersions": stored,
    }
    finalizers = [*(obj["metadata"].get("finalizers") or ()), FINALIZER]
    metadata = obj["metadata"] | {"finalizers": list(dict.fromkeys(finalizers))}
    full = {"conversion": {"strategy": "None"}} | spec | {"names": names}
    return obj | {"metadata": metadata, "spec": full, "status": status}


def _required(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    for path in ("group", "names.plural", "names.kind", "scope", "versions"):
        value: Any = spec
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            yield FieldError("FieldValueRequired", f"spec.{path}")


def faults(obj: Object) -> list[FieldError]:
    """Why this CRD cannot be served."""
    spec = obj.get("spec") or {}
    wrong = list(_required(spec))
    if wrong:
        return wrong
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if obj["metadata"]["name"] != expected:
        detail = f'must be spec.names.plural+"."+spec.group: "{expected}"'
        wrong.append(FieldError("FieldValueInvalid", "metadata.name", obj["metadata"]["name"], detail))
    if spec["scope"] not in ("Namespaced", "Cluster"):
        detail = 'supported values: "Cluster", "Namespaced"'
        wrong.append(FieldError("FieldValueNotSupported", "spec.scope", spec["scope"], detail))
    if spec.get("conversion", {}).get("strategy", "None") != "None":
        detail = "the embedded API server has no conversion webhooks"
        wrong.append(FieldError("FieldValueForbidden", "spec.conversion.strategy", None, detail))
    if sum(bool(version.get("storage")) for version in spec["versions"]) != 1:
        detail = "must have exactly one version marked as storage version"
        wrong.append(FieldError("FieldValueInvalid", "spec.versions", None, detail))
    for index, version in enumerate(spec["versions"]):
        wrong += _version_faults(version, f"spec.versions[{index}]")
    return wrong


def _version_faults(version: Mapping[str, Any], path: str) -> list[FieldError]:
    place = f"{path}.schema.openAPIV3Schema"
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, dict):
        return [FieldError("FieldValueRequired", place, None, "schemas are required")]
    wrong = structural_errors(schema, place)
    if wrong:
        return wrong
    try:
        Schema(schema)
    except RuleError as error:
        return [FieldError("FieldValueInvalid", f"{place}.x-kubernetes-validations", "", str(error))]
    return []


def _json_path(text: str) -> tuple[str, ...]:
    return tuple(text.lstrip(".").split("."))


def resources(obj: Object) -> list[Resource]:
    """The resources a CRD serves, one for each served version."""
    spec = obj["spec"]
    return [_resource(spec, version) for version in spec["versions"] if version.get("served")]


def _resource(spec: Mapping[str, Any], version: Mapping[str, Any]) -> Resource:
    names, parts = spec["names"], version.get("subresources") or {}
    columns = tuple(
        Column(
            each["name"],
            each["type"],
            each["jsonPath"],
            each.get("priority", 0),
            each.get("description", ""),
            each.get("format", ""),
        )
        for each in version.get("additionalPrinterColumns") or ()
    )
    selectable = [each["jsonPath"] for each in version.get("selectableFields") or ()]
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status="status" in parts,
        scale=_scale(parts["scale"]) if "scale" in parts else None,
        selectable={text.lstrip("."): _json_path(text) for text in selectable},
        columns=(NAME, *(columns or (Column("Age", "date", ".metadata.creationTimestamp"),))),
        custom=True,
        update_needs_version=True,
        schema=Schema(version["schema"]["openAPIV3Schema"]),
    )


def _scale(part: Mapping[str, Any]) -> Scale:
    selector = part.get("labelSelectorPath")
    return Scale(
        _json_path(part["specReplicasPath"]),
        _json_path(part["statusReplicasPath"]),
        _json_path(selector) if selector else None,
    )
