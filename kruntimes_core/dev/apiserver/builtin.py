"""The built-in kinds: how each is served, and what is refused of one; it never stores an object."""

from dataclasses import replace
from typing import Any

from kruntimes_core.dev.apiserver import event_forms
from kruntimes_core.dev.apiserver.errors import FieldError
from kruntimes_core.dev.apiserver.resources import NAME, Column, Form, Object, Resource, Scale

_AGE = Column("Age", "string", "@age")
_CREATED = Column("Created At", "string", "@created")
_RBAC = "rbac.authorization.k8s.io"
_BINDING = (
    NAME,
    Column("Role", "string", "@role"),
    _AGE,
    Column("Users", "string", "@users", priority=1),
    Column("Groups", "string", "@groups", priority=1),
    Column("ServiceAccounts", "string", "@accounts", priority=1),
)
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


def _selectable(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: _path(name) for name in names}


def _plain(group: str, version: str, kind: str, **more: Any) -> Resource:
    """A kind that is stored as it comes."""
    singular = kind.lower()
    plural = f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"
    settings: dict[str, Any] = {"counts_generations": False, "columns": (NAME, _AGE)} | more
    return Resource(group, version, plural, singular, kind, **settings)


def _event_fields(involved: str, reporting: str) -> dict[str, tuple[str, ...]]:
    """What an Event is selected by, in the words of one of its forms."""
    fields = {f"{involved}.{key}": ("involvedObject", key) for key in _INVOLVED}
    return fields | _selectable("reason", "type") | {reporting: ("reportingComponent",)}


_EVENT = _plain(
    "",
    "v1",
    "Event",
    short_names=("ev",),
    selectable=_event_fields("involvedObject", "reportingComponent"),
    columns=(
        Column("Last Seen", "string", "@event-last"),
        Column("Type", "string", ".type"),
        Column("Reason", "string", ".reason"),
        Column("Object", "string", "@event-object"),
        Column("Subobject", "string", ".involvedObject.fieldPath", priority=1),
        Column("Source", "string", "@event-source", priority=1),
        Column("Message", "string", "@event-message"),
        Column("First Seen", "string", "@event-first", priority=1),
        Column("Count", "string", "@event-count", priority=1),
        Column("Name", "string", ".metadata.name", priority=1, format="name"),
    ),
)

BUILTIN: tuple[Resource, ...] = (
    _plain(
        "",
        "v1",
        "Namespace",
        namespaced=False,
        short_names=("ns",),
        has_status=True,
        selectable=_selectable("status.phase"),
        columns=(NAME, Column("Status", "string", ".status.phase"), _AGE),
    ),
    Resource(
        *("", "v1", "pods", "pod", "Pod"),
        short_names=("po",),
        categories=("all",),
        has_status=True,
        has_log=True,
        selectable=_selectable(
            "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"
        ),
        columns=(
            NAME,
            Column("Ready", "string", "@pod-ready"),
            Column("Status", "string", "@pod-status"),
            Column("Restarts", "string", "@pod-restarts"),
            _AGE,
            Column("IP", "string", "@pod-ip", priority=1),
            Column("Node", "string", "@pod-node", priority=1),
            Column("Nominated Node", "string", "@pod-nominated", priority=1),
            Column("Readiness Gates", "string", "@pod-gates", priority=1),
        ),
    ),
    _plain(
        "",
        "v1",
        "ConfigMap",
        short_names=("cm",),
        columns=(NAME, Column("Data", "integer", "@data-count"), _AGE),
    ),
    _plain(
        "",
        "v1",
        "Secret",
        selectable=_selectable("type"),
        columns=(NAME, Column("Type", "string", ".type"), Column("Data", "integer", "@data-count"), _AGE),
    ),
    _plain("", "v1", "ServiceAccount", short_names=("sa",)),
    _EVENT,
    Resource(
        *("apps", "v1", "deployments", "deployment", "Deployment"),
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        scale=Scale(_path("spec.replicas"), _path("status.replicas"), _path("spec.selector")),
        columns=(
            NAME,
            Column("Ready", "string", "@deployment-ready"),
            Column("Up-to-date", "integer", "@deployment-updated"),
            Column("Available", "integer", "@deployment-available"),
            _AGE,
            Column("Containers", "string", "@deployment-containers", priority=1),
            Column("Images", "string", "@deployment-images", priority=1),
            Column("Selector", "string", "@deployment-selector", priority=1),
        ),
    ),
    Resource(
        *("coordination.k8s.io", "v1", "leases", "lease", "Lease"),
        counts_generations=False,
        update_needs_version=True,
        columns=(NAME, Column("Holder", "string", ".spec.holderIdentity"), _AGE),
    ),
    Resource(
        *("apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition"),
        "CustomResourceDefinition",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        has_status=True,
        update_needs_version=True,
        columns=(NAME, _CREATED),
    ),
    replace(
        _EVENT,
        group="events.k8s.io",
        form=Form(_EVENT, event_forms.to_new, event_forms.to_core),
        selectable=_event_fields("regarding", "reportingController"),
    ),
    # Stored and served, without effect: this server has one user and no networks.
    _plain(_RBAC, "v1", "Role", columns=(NAME, _CREATED)),
    _plain(_RBAC, "v1", "RoleBinding", columns=_BINDING),
    _plain(_RBAC, "v1", "ClusterRole", namespaced=False, columns=(NAME, _CREATED)),
    _plain(_RBAC, "v1", "ClusterRoleBinding", namespaced=False, columns=_BINDING),
    _plain(
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        short_names=("netpol",),
        columns=(NAME, Column("Pod-Selector", "string", "@policy-selector"), _AGE),
    ),
)


def faults(kind: str, obj: Object, old: Object | None) -> list[FieldError]:
    """What Kubernetes would refuse and this project's own parts could get wrong."""
    spec: Any = obj.get("spec")
    if kind == "Event":
        return _event_faults(obj)
    if kind not in ("Pod", "Deployment"):
        return []
    if not isinstance(spec, dict):
        return [FieldError("FieldValueRequired", "spec")]
    if kind == "Pod":
        return _container_faults(spec, "spec")
    return _deployment_faults(spec, (old or {}).get("spec"))


def _event_faults(event: Object) -> list[FieldError]:
    namespace = event_forms.namespace_of(event)
    if namespace and namespace != event["metadata"].get("namespace"):
        detail = "does not match event.namespace"
        return [FieldError("FieldValueInvalid", "involvedObject.namespace", namespace, detail)]
    if not event.get("eventTime"):
        return []
    needed = {"reportingController": "reportingComponent", "action": "action", "reason": "reason"}
    return [FieldError("FieldValueRequired", shown) for shown, key in needed.items() if not event.get(key)]


def _container_faults(spec: Object, path: str) -> list[FieldError]:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        return [FieldError("FieldValueRequired", f"{path}.containers")]
    return [
        FieldError("FieldValueRequired", f"{path}.containers[{index}].{key}")
        for index, container in enumerate(containers)
        for key in ("name", "image")
        if not isinstance(container, dict) or not container.get(key)
    ]


def _deployment_faults(spec: Object, old: Object | None) -> list[FieldError]:
    selector, template = spec.get("selector"), spec.get("template")
    if not isinstance(selector, dict) or not selector:
        return [FieldError("FieldValueRequired", "spec.selector")]
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return [FieldError("FieldValueRequired", "spec.template.spec")]
    if old is not None and old.get("selector") != selector:
        return [FieldError("FieldValueInvalid", "spec.selector", selector, "field is immutable")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        detail = "`selector` does not match template `labels`"
        return [FieldError("FieldValueInvalid", "spec.template.metadata.labels", labels, detail)]
    replicas = spec.get("replicas")
    if not isinstance(replicas, int) or replicas < 0:
        detail = "must be greater than or equal to 0"
        return [FieldError("FieldValueInvalid", "spec.replicas", replicas, detail)]
    return _container_faults(template["spec"], "spec.template.spec")
