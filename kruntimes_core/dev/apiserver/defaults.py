"""What an object of a built-in kind is given that its author left out. Pure; it never refuses anything."""

import base64
from typing import Any

from kruntimes_core.dev.apiserver import event_forms
from kruntimes_core.dev.apiserver.resources import Object

# A field only of the status: what a fresh object of the kind starts with.
_FRESH_STATUS: dict[str, Object] = {
    "Pod": {"phase": "Pending"},
    "Namespace": {"phase": "Active"},
    "Deployment": {},
}
_TEMPLATE: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
}
_TOLERATIONS = [
    {
        "effect": "NoExecute",
        "key": f"node.kubernetes.io/{word}",
        "operator": "Exists",
        "tolerationSeconds": 300,
    }
    for word in ("not-ready", "unreachable")
]
_POD: Object = {
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "tolerations": _TOLERATIONS,
}
_CONTAINER: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Object = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ROLLING: Object = {
    "type": "RollingUpdate",
    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
}
_DEPLOYMENT: Object = {
    "replicas": 1,
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
    "strategy": _ROLLING,
}
# Which permissions the files of a volume have.
_MODES = {"configMap", "secret", "projected", "downwardAPI"}


def fresh(kind: str, obj: Object) -> Object:
    """The object as it is stored when it is created."""
    obj = defaulted(kind, obj)
    if kind == "Pod":
        obj = _admitted(obj)
    if kind == "Namespace":
        obj = _named(obj)
    if kind in _FRESH_STATUS:
        obj = obj | {"status": _FRESH_STATUS[kind]}
    if kind == "Pod" and isinstance(obj.get("spec"), dict):
        obj = obj | {"status": obj["status"] | {"qosClass": quality(obj["spec"])}}
    return obj


def defaulted(kind: str, obj: Object) -> Object:
    """The object with the defaults that Kubernetes gives it."""
    if kind == "Secret":
        return _secret(obj)
    if kind == "Event":
        return event_forms.completed(obj)
    spec: Any = obj.get("spec")
    if not isinstance(spec, dict):
        return obj | {"spec": {"finalizers": ["kubernetes"]}} if kind == "Namespace" else obj
    if kind == "Pod":
        return obj | {"spec": _pod_spec({"enableServiceLinks": True} | spec)}
    if kind == "Deployment":
        template = spec.get("template")
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            spec = spec | {"template": template | {"spec": _pod_spec(template["spec"])}}
        return obj | {"spec": _DEPLOYMENT | spec}
    return obj


def _named(namespace: Object) -> Object:
    """A new Namespace with its name as a label, so that selectors can mean it."""
    metadata = namespace["metadata"]
    labels = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}
    return namespace | {"metadata": metadata | {"labels": labels}}


def _admitted(pod: Object) -> Object:
    """A new Pod with what admission adds; limits stand for requests that are missing."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return pod
    spec = _POD | spec
    for group in ("containers", "initContainers"):
        if isinstance(spec.get(group), list):
            spec[group] = [_requesting(each) for each in spec[group]]
    return pod | {"spec": spec}


def _requesting(container: Any) -> Any:
    resources = container.get("resources") if isinstance(container, dict) else None
    if not isinstance(resources, dict) or not isinstance(resources.get("limits"), dict):
        return container
    requests = resources["limits"] | (resources.get("requests") or {})
    return container | {"resources": resources | {"requests": requests}}


def _pod_spec(spec: Object) -> Object:
    spec = _TEMPLATE | spec
    for group in ("containers", "initContainers"):
        if isinstance(spec.get(group), list):
            spec[group] = [_container(each) for each in spec[group]]
    if isinstance(spec.get("volumes"), list):
        spec["volumes"] = [_volume(each) for each in spec["volumes"]]
    return spec


def _container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    tag = str(container.get("image") or "").rpartition("/")[2].partition("@")[0].partition(":")[2]
    latest = tag in ("", "latest") and "@" not in str(container.get("image"))
    result = {**_CONTAINER, "imagePullPolicy": "Always" if latest else "IfNotPresent", **container}
    for name in _PROBES:
        if isinstance(result.get(name), dict):
            result[name] = _PROBE | result[name]
    if isinstance(result.get("ports"), list):
        result["ports"] = [{"protocol": "TCP", **port} for port in result["ports"]]
    if isinstance(result.get("env"), list):
        result["env"] = [_variable(each) for each in result["env"]]
    return result


def _variable(variable: Any) -> Any:
    source = variable.get("valueFrom") if isinstance(variable, dict) else None
    if not isinstance(source, dict) or not isinstance(source.get("fieldRef"), dict):
        return variable
    field = {"apiVersion": "v1"} | source["fieldRef"]
    return variable | {"valueFrom": source | {"fieldRef": field}}


def _volume(volume: Any) -> Any:
    if not isinstance(volume, dict):
        return volume
    modes = {key: {"defaultMode": 420} | volume[key] for key in _MODES & volume.keys() if volume[key]}
    return volume | modes if modes or len(volume) > 1 else volume | {"emptyDir": {}}


def quality(spec: Object) -> str:
    """How far a Pod's resources are promised: Guaranteed, Burstable or BestEffort."""
    groups = (spec.get("initContainers") or (), spec.get("containers") or ())
    resources = [each.get("resources") or {} for group in groups for each in group]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    promised = all(
        {"cpu", "memory"} <= (each.get("limits") or {}).keys() and each.get("requests") == each["limits"]
        for each in resources
    )
    return "Guaranteed" if promised else "Burstable"


def _secret(obj: Object) -> Object:
    secret: Object = {"type": "Opaque", **obj}
    texts = secret.pop("stringData", None)
    if isinstance(texts, dict):
        coded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **coded}
    return secret
