"""Which objects we read and write, and the path of each in the API; never sends a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """One kind of object as the API server names it."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The value of apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Path of one object, or of the collection; without a namespace, that of all namespaces."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def named(self, namespace: str | None, name: str) -> Ref:
        """Point at one object of this kind."""
        return Ref(self, namespace, name)


@dataclass(frozen=True)
class Ref:
    """One object, or one subresource of it, by its name."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str = ""

    @property
    def path(self) -> str:
        """Path in the API."""
        return self.kind.path(self.namespace, self.name, self.subresource)

    def sub(self, subresource: str) -> Ref:
        """Point at a subresource (status, scale, log) of the same object."""
        return replace(self, subresource=subresource)

    def __str__(self) -> str:
        return (
            f"{self.kind.name} {self.namespace}/{self.name}"
            if self.namespace
            else f"{self.kind.name} {self.name}"
        )


RUN = Kind("kruntimes.io", "v1alpha1", "runs", "Run")
RUNTIME = Kind("kruntimes.io", "v1alpha1", "runtimes", "Runtime")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
POD = Kind("", "v1", "pods", "Pod")
NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
SECRET = Kind("", "v1", "secrets", "Secret")
EVENT = Kind("", "v1", "events", "Event")
