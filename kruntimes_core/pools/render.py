"""The Deployment and ServiceAccount that a Runtime's pool is made of; it judges nothing. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kruntimes import frames

from kruntimes_core.pools.pool import GROUP, RUNTIME_LABEL, Object, Pool, grace_seconds, granted_capacity

DAEMON_CONTAINER = frames.CONTAINER
RENDERED = f"{GROUP}/rendered"
SOCKET_DIR = "/run/kruntimes"
WORKSPACES = "/workspaces"
TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3600
# Nobody, as distroless images name it; daemon and server must be one user to share a 0600 token file.
DEFAULT_USER = 65532
DAEMON_RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "20m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}

Rendered = dict[str, Any]


def render_service_account(pool: Pool) -> Rendered:
    """Return the identity of the pool's daemons."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(pool),
        "automountServiceAccountToken": False,
    }


def render_deployment(pool: Pool, daemon_image: str) -> Rendered:
    """Return the Deployment, with a digest of itself that tells whether a stored one is still the same."""
    spec: Rendered = {
        "replicas": pool.replicas,
        "selector": {"matchLabels": _labels(pool)},
        "template": _template(pool, daemon_image),
    }
    metadata = _metadata(pool) | {"annotations": {RENDERED: _digest(spec | {"replicas": 0})}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def differs(stored: Object, wanted: Object) -> bool:
    """Return whether a stored Deployment must be written again.

    The digest is compared, not the fields: the API server fills in defaults and rewrites quantities.
    """
    annotations = stored["metadata"].get("annotations") or {}
    return bool(
        annotations.get(RENDERED) != wanted["metadata"]["annotations"][RENDERED]
        or stored["spec"].get("replicas") != wanted["spec"]["replicas"]
    )


def merged(stored: Object, wanted: Object) -> Rendered:
    """Return the stored Deployment with our part replaced; what others noted in its metadata stays."""
    ours, theirs = wanted["metadata"], stored["metadata"]
    metadata = {
        **theirs,
        "labels": (theirs.get("labels") or {}) | ours["labels"],
        "annotations": (theirs.get("annotations") or {}) | ours["annotations"],
        "ownerReferences": ours["ownerReferences"],
    }
    return {**stored, **wanted, "metadata": metadata}


def is_owned(stored: Object, pool: Pool) -> bool:
    """Return whether a stored object is this very Runtime's: by UID, since a name may be given again."""
    owners = stored["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == pool.uid for owner in owners)


def _metadata(pool: Pool) -> Rendered:
    owner = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Runtime",
        "name": pool.name,
        "uid": pool.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": pool.deployment,
        "namespace": pool.namespace,
        "labels": _labels(pool),
        "ownerReferences": [owner],
    }


def _labels(pool: Pool) -> dict[str, str]:
    return {RUNTIME_LABEL: pool.name}


def _template(pool: Pool, daemon_image: str) -> Rendered:
    metadata, spec = pool.template.get("metadata") or {}, pool.template["spec"]
    runtime, *others = spec["containers"]
    security = {
        "runAsNonRoot": True,
        "runAsUser": DEFAULT_USER,
        "runAsGroup": DEFAULT_USER,
        "fsGroup": DEFAULT_USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **_labels(pool)}},
        "spec": {
            **spec,
            "serviceAccountName": pool.deployment,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_seconds(pool),
            "securityContext": {**security, **(spec.get("securityContext") or {})},
            "volumes": [*(spec.get("volumes") or ()), *_volumes()],
            "initContainers": [_daemon(pool, daemon_image), *(spec.get("initContainers") or ())],
            "containers": [_runtime(runtime, pool), *others],
        },
    }


def _volumes() -> list[Rendered]:
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}}
    authorities = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    sources = [token, {"configMap": authorities}, {"downwardAPI": {"items": [namespace]}}]
    return [
        {"name": "kruntimes-run", "emptyDir": {"medium": "Memory"}},
        {"name": "kruntimes-workspaces", "emptyDir": {}},
        {"name": "kruntimes-token", "projected": {"sources": sources}},
    ]


def _shared_mounts() -> list[Rendered]:
    return [
        {"name": "kruntimes-run", "mountPath": SOCKET_DIR},
        {"name": "kruntimes-workspaces", "mountPath": WORKSPACES},
    ]


def _shared_env(pool: Pool) -> dict[str, str]:
    return {
        "KRUNTIMES_ENDPOINT": f"unix://{SOCKET_DIR}/runtime.sock",
        "KRUNTIMES_TOKEN_FILE": f"{SOCKET_DIR}/token",
        "KRUNTIMES_WORKSPACES": WORKSPACES,
        "KRUNTIMES_TERMINATION_GRACE_SECONDS": str(grace_seconds(pool)),
    }


def _runtime(container: Object, pool: Pool) -> Rendered:
    env = _shared_env(pool) | {"KRUNTIMES_SPOOL": f"{SOCKET_DIR}/spool"}
    return {
        **container,
        "env": [*_env(env), *(container.get("env") or ())],
        "volumeMounts": [*(container.get("volumeMounts") or ()), *_shared_mounts()],
        "securityContext": _restricted() | (container.get("securityContext") or {}),
    }


def _daemon(pool: Pool, image: str) -> Rendered:
    """Return the daemon: before the server and after it, so a restartable init container, and the first."""
    program = ["python", "-m", "kruntimes_core.apps.daemon"]
    env = _shared_env(pool) | {
        "KRUNTIMES_RUNTIME": pool.name,
        "KRUNTIMES_CAPACITY": _canonical(granted_capacity(pool)),
        "KRUNTIMES_SERVER_CONFIG": _canonical(pool.server_config),
        "KRUNTIMES_SERVICE_ACCOUNT_DIR": TOKEN_DIR,
        # It talks TLS to the API server alone; reading all the world's authorities slows its start.
        "SSL_CERT_FILE": f"{TOKEN_DIR}/ca.crt",
    }
    fields = {
        "KRUNTIMES_POD_NAME": "metadata.name",
        "KRUNTIMES_POD_UID": "metadata.uid",
        "KRUNTIMES_NAMESPACE": "metadata.namespace",
    }
    from_pod = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
    ]
    token = {"name": "kruntimes-token", "mountPath": TOKEN_DIR, "readOnly": True}
    return {
        "name": DAEMON_CONTAINER,
        "image": image,
        "restartPolicy": "Always",
        "command": program,
        "env": [*from_pod, *_env(env)],
        "volumeMounts": [*_shared_mounts(), token],
        # Told to stop last, it would begin to drain when the server is gone already: so it drains before.
        "lifecycle": {"preStop": {"exec": {"command": [*program, "drain"]}}},
        "resources": dict(DAEMON_RESOURCES),
        "securityContext": _restricted() | {"readOnlyRootFilesystem": True},
    }


def _restricted() -> Rendered:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _env(values: Mapping[str, str]) -> list[Rendered]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(spec: Object) -> str:
    return hashlib.sha256(_canonical(spec).encode()).hexdigest()
