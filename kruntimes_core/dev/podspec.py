"""A Pod read for running it as local processes: what to start, in which order, with which volumes. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kruntimes_core.dev.paths import expand, rewrite

SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
DEFAULT_GRACE_SECONDS = 30.0

Object = Mapping[str, Any]


class UnsupportedError(ValueError):
    """The Pod asks for something this kubelet does not have; the text goes into its status."""


class Role(Enum):
    """When a container runs: before the others, beside them from the start, or as one of them."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


@dataclass(frozen=True)
class Probe:
    """A command whose exit code 0 means yes."""

    argv: tuple[str, ...]
    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int


@dataclass(frozen=True)
class Volume:
    """A directory of the Pod, with the files that are put into it."""

    name: str
    memory: bool
    files: tuple[tuple[str, str], ...] = ()
    identity: bool = False


@dataclass(frozen=True)
class Container:
    """One program of the Pod, ready to start."""

    name: str
    image: str
    role: Role
    argv: tuple[str, ...]
    env: Mapping[str, str]
    work_dir: str | None
    restart: str
    startup: Probe | None
    readiness: Probe | None
    liveness: Probe | None
    pre_stop: tuple[str, ...]


@dataclass(frozen=True)
class PodSpec:
    """Everything the kubelet needs to run one Pod."""

    volumes: tuple[Volume, ...]
    containers: tuple[Container, ...]
    grace: float


@dataclass(frozen=True)
class Surroundings:
    """What this machine gives each Pod: its real directories, and the way to the API server."""

    directory: Callable[[str, bool], str]
    env: Mapping[str, str]
    api_env: Mapping[str, str]
    token: str
    ca: str
    node: str


def read_pod(pod: Object, around: Surroundings) -> PodSpec:
    """Return what to run for `pod`; raises UnsupportedError with a sentence for its status."""
    spec = pod["spec"]
    volumes = tuple(_volume(volume, pod, around) for volume in spec.get("volumes") or ())
    directories = {volume.name: around.directory(volume.name, volume.memory) for volume in volumes}
    reader = _ContainerReader(
        pod, around, directories, {volume.name for volume in volumes if volume.identity}
    )
    containers = [reader.read(entry, init=True) for entry in spec.get("initContainers") or ()]
    containers += [reader.read(entry, init=False) for entry in spec["containers"]]
    grace = spec.get("terminationGracePeriodSeconds")
    return PodSpec(volumes, tuple(containers), DEFAULT_GRACE_SECONDS if grace is None else float(grace))


class _ContainerReader:
    def __init__(
        self, pod: Object, around: Surroundings, directories: Mapping[str, str], identities: set[str]
    ) -> None:
        self._pod, self._around = pod, around
        self._directories, self._identities = directories, identities

    def read(self, entry: Object, *, init: bool) -> Container:
        name = entry["name"]
        mounts = self._mounts(entry)
        env = self._env(entry, mounts)
        command = [*(entry.get("command") or ()), *(entry.get("args") or ())]
        if not entry.get("command"):
            raise UnsupportedError(
                f"container {name} has no command: images are not used here, so the program must be named "
                "in `command`"
            )

        def real(argv: list[str]) -> tuple[str, ...]:
            return tuple(rewrite(expand(word, env), mounts) for word in argv)

        always = entry.get("restartPolicy") == "Always"
        role = Role.MAIN if not init else Role.SIDECAR if always else Role.INIT
        work_dir = entry.get("workingDir")
        return Container(
            name=name,
            image=entry.get("image") or "",
            role=role,
            argv=real(command),
            env=env,
            work_dir=rewrite(work_dir, mounts) if work_dir else None,
            restart="Always" if role is Role.SIDECAR else self._pod["spec"].get("restartPolicy") or "Always",
            startup=_probe(entry, "startupProbe", real),
            readiness=_probe(entry, "readinessProbe", real),
            liveness=_probe(entry, "livenessProbe", real),
            pre_stop=_pre_stop(entry, real),
        )

    def _mounts(self, entry: Object) -> dict[str, str]:
        found = {}
        for mount in entry.get("volumeMounts") or ():
            directory = self._directories.get(mount["name"])
            if directory is None:
                raise UnsupportedError(f"container {entry['name']} mounts the unknown volume {mount['name']}")
            below = mount.get("subPath")
            found[mount["mountPath"]] = f"{directory}/{below}" if below else directory
        return found

    def _env(self, entry: Object, mounts: Mapping[str, str]) -> dict[str, str]:
        env = dict(self._around.env)
        identity = [m["mountPath"] for m in entry.get("volumeMounts") or () if m["name"] in self._identities]
        if identity:
            env |= {**self._around.api_env, "KRUNTIMES_SERVICE_ACCOUNT_DIR": mounts[identity[0]]}
        if entry.get("envFrom"):
            raise UnsupportedError(f"container {entry['name']} uses envFrom, which is not offered here")
        for variable in entry.get("env") or ():
            value = self._value(variable)
            env[variable["name"]] = rewrite(expand(value, env), mounts)
        return env

    def _value(self, variable: Object) -> str:
        source = variable.get("valueFrom")
        if not source:
            return variable.get("value") or ""
        if "fieldRef" not in source:
            kind = next(iter(source), "valueFrom")
            raise UnsupportedError(f"env {variable['name']} uses {kind}; only fieldRef is offered here")
        return _field(self._pod, source["fieldRef"]["fieldPath"], self._around.node)


def _field(pod: Object, path: str, node: str) -> str:
    metadata = pod["metadata"]
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": node,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName") or "default",
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    for kind in ("labels", "annotations"):
        prefix = f"metadata.{kind}['"
        if path.startswith(prefix) and path.endswith("']"):
            return str((metadata.get(kind) or {}).get(path[len(prefix) : -2], ""))
    if path not in known:
        raise UnsupportedError(f"fieldRef {path} is not offered here")
    return str(known[path])


def _volume(volume: Object, pod: Object, around: Surroundings) -> Volume:
    name = volume["name"]
    if "emptyDir" in volume:
        return Volume(name, memory=(volume["emptyDir"] or {}).get("medium") == "Memory")
    if "projected" in volume:
        sources = volume["projected"].get("sources") or ()
        files = [file for source in sources for file in _projected(name, source, pod, around)]
        identity = any("serviceAccountToken" in source for source in sources)
        return Volume(name, memory=True, files=tuple(files), identity=identity)
    kind = next((key for key in volume if key != "name"), "unknown")
    raise UnsupportedError(f"volume {name} is a {kind}; only emptyDir and projected volumes are offered here")


def _projected(name: str, source: Object, pod: Object, around: Surroundings) -> list[tuple[str, str]]:
    if "serviceAccountToken" in source:
        return [(source["serviceAccountToken"]["path"], around.token)]
    if "configMap" in source and source["configMap"].get("name") == "kube-root-ca.crt":
        return [(item["path"], around.ca) for item in source["configMap"]["items"]]
    if "downwardAPI" in source:
        return [
            (item["path"], _field(pod, item["fieldRef"]["fieldPath"], around.node))
            for item in source["downwardAPI"]["items"]
        ]
    kind = next(iter(source), "nothing")
    raise UnsupportedError(
        f"volume {name} projects {kind}; only the token, kube-root-ca.crt and fields are offered here"
    )


def _probe(entry: Object, kind: str, real: Callable[[list[str]], tuple[str, ...]]) -> Probe | None:
    probe = entry.get(kind)
    if not probe:
        return None
    if "exec" not in probe:
        raise UnsupportedError(
            f"{kind} of container {entry['name']} is no exec probe, which is the only kind here"
        )
    return Probe(
        argv=real(list(probe["exec"]["command"])),
        initial_delay=float(probe.get("initialDelaySeconds") or 0),
        period=float(probe.get("periodSeconds") or 10),
        timeout=float(probe.get("timeoutSeconds") or 1),
        successes=int(probe.get("successThreshold") or 1),
        failures=int(probe.get("failureThreshold") or 3),
    )


def _pre_stop(entry: Object, real: Callable[[list[str]], tuple[str, ...]]) -> tuple[str, ...]:
    hook = (entry.get("lifecycle") or {}).get("preStop")
    if not hook:
        return ()
    if "exec" not in hook:
        raise UnsupportedError(
            f"preStop of container {entry['name']} is no exec hook, which is the only kind here"
        )
    return real(list(hook["exec"]["command"]))
