"""What a Runtime's Pod template may not ask for, and where it does; it changes no template. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kruntimes_core.model.resources import Unreadable
from kruntimes_core.pools.pool import RUNTIME_CONTAINER, Pool, granted_capacity

RESERVED_PREFIX = "kruntimes-"
RESERVED_METADATA = ("kruntimes.io/",)
# Annotations that a container runtime, not Kubernetes, obeys: they reach below every rule of this list.
RUNTIME_ANNOTATIONS = (
    "io.kubernetes.",
    "io.katacontainers.",
    "io.containerd.",
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
)
RESERVED_PATHS = (
    "/run/kruntimes",
    "/workspaces",
    "/var/run/secrets/kubernetes.io",
    "/run/secrets/kubernetes.io",
)
RESERVED_ENV = frozenset(
    {
        "KRUNTIMES_ATTEMPT",
        "KRUNTIMES_CAPACITY",
        "KRUNTIMES_ENDPOINT",
        "KRUNTIMES_LEASE_SECONDS",
        "KRUNTIMES_NAMESPACE",
        "KRUNTIMES_OUTPUTS",
        "KRUNTIMES_POD_NAME",
        "KRUNTIMES_POD_UID",
        "KRUNTIMES_RESULT",
        "KRUNTIMES_RUNTIME",
        "KRUNTIMES_RUN_NAME",
        "KRUNTIMES_RUN_UID",
        "KRUNTIMES_SERVER_CONFIG",
        "KRUNTIMES_SERVICE_ACCOUNT_DIR",
        "KRUNTIMES_SPOOL",
        "KRUNTIMES_TERMINATION_GRACE_SECONDS",
        "KRUNTIMES_TOKEN_FILE",
        "KRUNTIMES_WORKSPACES",
    }
)
CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that is not allowed."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


def judge(pool: Pool) -> list[Refusal]:
    """Return all that speaks against making this pool; nothing means that it may be made."""
    try:
        return list(_runtime(pool))
    except _Malformed as error:
        return [error.refusal]


class _Malformed(Exception):
    def __init__(self, path: str, wanted: str) -> None:
        super().__init__(path)
        self.refusal = Refusal(path, f"must be {wanted}")


def _runtime(pool: Pool) -> Iterator[Refusal]:
    if not _LABEL.fullmatch(pool.name):
        yield Refusal("metadata.name", "must be at most 63 of a-z, 0-9 and '-', since it becomes a label")
    root = "spec.template"
    template = _mapping(pool.template, root)
    yield from _metadata(_mapping(template.get("metadata"), f"{root}.metadata"), f"{root}.metadata")
    yield from _pod(_mapping(template.get("spec"), f"{root}.spec"), f"{root}.spec", pool)
    try:
        granted_capacity(pool)
    except Unreadable as error:
        yield Refusal("spec.capacity.resources", str(error))


def _metadata(metadata: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    for kind, prefixes in (
        ("labels", RESERVED_METADATA),
        ("annotations", RESERVED_METADATA + RUNTIME_ANNOTATIONS),
    ):
        for key in _mapping(metadata.get(kind), f"{path}.{kind}"):
            if str(key).startswith(prefixes):
                yield Refusal(f"{path}.{kind}[{key}]", "is reserved")


def _pod(spec: Mapping[str, Any], path: str, pool: Pool) -> Iterator[Refusal]:
    for key in HOST_NAMESPACES:
        if spec.get(key):
            yield Refusal(f"{path}.{key}", "members may not share the host's namespaces")
    for key in ("serviceAccountName", "serviceAccount"):
        if spec.get(key) not in (None, "", pool.deployment):
            yield Refusal(f"{path}.{key}", f"a member's service account is its pool's own, {pool.deployment}")
    if spec.get("automountServiceAccountToken"):
        yield Refusal(f"{path}.automountServiceAccountToken", "the token is for the daemon alone")
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and not (isinstance(grace, int) and grace >= 1):
        yield Refusal(f"{path}.terminationGracePeriodSeconds", "must be a whole number of seconds from 1 on")
    yield from _security_context(spec, path)
    for index, volume in enumerate(_list(spec.get("volumes"), f"{path}.volumes")):
        yield from _volume(_mapping(volume, f"{path}.volumes[{index}]"), f"{path}.volumes[{index}]")
    for kind in CONTAINER_LISTS:
        for index, entry in enumerate(_list(spec.get(kind), f"{path}.{kind}")):
            place = f"{path}.{kind}[{index}]"
            yield from _container(_mapping(entry, place), place)
    first = _list(spec.get("containers"), f"{path}.containers")[:1]
    if not first or first[0].get("name") != RUNTIME_CONTAINER:
        yield Refusal(f"{path}.containers[0].name", f"the first container must be named {RUNTIME_CONTAINER}")


def _volume(volume: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    if str(volume.get("name", "")).startswith(RESERVED_PREFIX):
        yield Refusal(f"{path}.name", f"names with {RESERVED_PREFIX} are reserved")
    if volume.get("hostPath") is not None:
        yield Refusal(f"{path}.hostPath", "members may not reach the host's files")
    projected = _mapping(volume.get("projected"), f"{path}.projected")
    for index, source in enumerate(_list(projected.get("sources"), f"{path}.projected.sources")):
        place = f"{path}.projected.sources[{index}]"
        if _mapping(source, place).get("serviceAccountToken") is not None:
            yield Refusal(f"{place}.serviceAccountToken", "the token is for the daemon alone")


def _container(entry: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    if str(entry.get("name", "")).startswith(RESERVED_PREFIX):
        yield Refusal(f"{path}.name", f"names with {RESERVED_PREFIX} are reserved")
    yield from _security_context(entry, path)
    for index, variable in enumerate(_list(entry.get("env"), f"{path}.env")):
        name = _mapping(variable, f"{path}.env[{index}]").get("name")
        if name in RESERVED_ENV:
            yield Refusal(f"{path}.env[{index}].name", f"{name} is reserved")
    for index, mount in enumerate(_list(entry.get("volumeMounts"), f"{path}.volumeMounts")):
        place = f"{path}.volumeMounts[{index}]"
        yield from _mount(_mapping(mount, place), place)
    for index, port in enumerate(_list(entry.get("ports"), f"{path}.ports")):
        if _mapping(port, f"{path}.ports[{index}]").get("hostPort"):
            yield Refusal(f"{path}.ports[{index}].hostPort", "members may not listen on the host")


def _mount(mount: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    if str(mount.get("name", "")).startswith(RESERVED_PREFIX):
        yield Refusal(f"{path}.name", f"volumes with {RESERVED_PREFIX} are mounted by the system alone")
    target = "/" + str(mount.get("mountPath", "")).strip("/")
    hidden = [reserved for reserved in RESERVED_PATHS if _overlaps(target, reserved)]
    if hidden:
        yield Refusal(f"{path}.mountPath", f"would hide {' and '.join(hidden)}, which is reserved")


def _overlaps(target: str, reserved: str) -> bool:
    return f"{target}/".startswith(f"{reserved}/") or f"{reserved}/".startswith(f"{target.rstrip('/')}/")


def _security_context(owner: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    path = f"{path}.securityContext"
    context = _mapping(owner.get("securityContext"), path)
    if context.get("privileged"):
        yield Refusal(f"{path}.privileged", "members may not be privileged")
    added = _mapping(context.get("capabilities"), f"{path}.capabilities").get("add")
    if added:
        yield Refusal(f"{path}.capabilities.add", "members may not add capabilities")
    if context.get("procMount") not in (None, "Default"):
        yield Refusal(f"{path}.procMount", "members may not unmask /proc")
    if _mapping(context.get("windowsOptions"), f"{path}.windowsOptions").get("hostProcess"):
        yield Refusal(f"{path}.windowsOptions.hostProcess", "members may not be host processes")


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _Malformed(path, "an object")
    return value


def _list(value: object, path: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Malformed(path, "a list")
    return value
