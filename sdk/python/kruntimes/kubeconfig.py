"""How to reach one API server: reads kubeconfig files and the in-cluster mount; never sends a request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kruntimes._credentials import NoCredential, PluginCredential, StaticToken, TokenFile

if TYPE_CHECKING:
    import ssl

SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
DEV_KUBECONFIG = "kruntimes/dev/kubeconfig"


class KubeconfigError(Exception):
    """The configuration cannot be used; the message says which file and what to do."""


class Credential(Protocol):
    """Who we are, told once per request: a token that was renewed is seen at once."""

    def authorization(self) -> str | None:
        """Give the value of the Authorization header, or None when the certificate speaks for us."""


@dataclass(frozen=True)
class ClusterAccess:
    """All that is needed to talk to one API server as one user."""

    server: str
    namespace: str = "default"
    credential: Credential = field(default_factory=NoCredential)
    ca: str | None = None
    """PEM text of the authorities to trust; None means those of the system."""
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    verify: bool = True
    server_name: str | None = None
    """The name the server's certificate must carry, when it is not the host of `server`."""
    origin: str = ""
    """Where this was read, for messages."""

    def ssl_context(self) -> ssl.SSLContext | None:
        """Make the TLS context, or None when the server speaks plain HTTP."""
        if not self.server.startswith("https://"):
            return None
        import ssl

        context = ssl.create_default_context(cadata=self.ca)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None and self.client_key is not None:
            _load_client_certificate(context, self.client_certificate, self.client_key)
        return context


def for_person(
    path: str | os.PathLike[str] | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ClusterAccess:
    """Find a person's cluster: a named file, KUBECONFIG, that of `krt dev`, ~/.kube/config, the Pod's own."""
    if path is not None:
        return from_files([Path(path)], context)
    if named := [Path(p) for p in environ.get("KUBECONFIG", "").split(os.pathsep) if p]:
        return from_files(named, context)
    for candidate in (_dev_kubeconfig(environ), _home(environ) / ".kube" / "config"):
        if candidate.is_file():
            return from_files([candidate], context)
    if "KUBERNETES_SERVICE_HOST" in environ:
        return in_cluster(environ)
    raise KubeconfigError(
        "no cluster to talk to: KUBECONFIG is not set, `krt dev` has not been started, and there is no "
        "~/.kube/config; start one on this machine with `krt dev up`, or name a file with --kubeconfig"
    )


def for_program(environ: Mapping[str, str] = os.environ) -> ClusterAccess:
    """Find the cluster one of our programs runs in: the Pod's own first, then as for a person."""
    if "KUBERNETES_SERVICE_HOST" in environ:
        return in_cluster(environ)
    return for_person(environ=environ)


def in_cluster(environ: Mapping[str, str] = os.environ) -> ClusterAccess:
    """Read what Kubernetes mounts into a Pod; the token is read again whenever its file changes."""
    directory = Path(environ.get("KRUNTIMES_SERVICE_ACCOUNT_DIR") or SERVICE_ACCOUNT_DIR)
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise KubeconfigError("not inside a cluster: KUBERNETES_SERVICE_HOST is not set")
    credential = TokenFile(directory / "token")
    try:
        credential.authorization()
        ca = (directory / "ca.crt").read_text()
    except OSError as error:
        raise KubeconfigError(
            f"cannot read the service account of this Pod: {error}; is the token mounted into this container?"
        ) from error
    return ClusterAccess(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=_own_namespace(directory),
        credential=credential,
        ca=ca,
        origin=str(directory),
    )


def from_files(paths: list[Path], context: str | None = None) -> ClusterAccess:
    """Read kubeconfig files as kubectl does: for each name the first file that has it wins."""
    clusters, users, contexts, current = _merge(paths)
    shown = os.pathsep.join(str(path) for path in paths)
    name = context or current
    if not name:
        raise KubeconfigError(f"{shown}: no current-context; set one with `kubectl config use-context NAME`")
    chosen = _entry(contexts, name, "context", shown).values
    cluster = _entry(clusters, chosen.get("cluster"), "cluster", shown)
    user = _entry(users, chosen.get("user"), "user", shown) if chosen.get("user") else _Entry({}, Path())
    if not (server := cluster.values.get("server")):
        raise KubeconfigError(f"{shown}: cluster {chosen.get('cluster')!r} names no server")
    _refuse_unsupported(cluster, user, shown)
    ca = cluster.content("certificate-authority")
    return ClusterAccess(
        server=str(server).rstrip("/"),
        namespace=str(chosen.get("namespace") or "default"),
        credential=_credential(user, paths, name),
        ca=None if ca is None else ca.decode(),
        client_certificate=user.content("client-certificate"),
        client_key=user.content("client-key"),
        verify=not cluster.values.get("insecure-skip-tls-verify", False),
        server_name=cluster.values.get("tls-server-name"),
        origin=shown,
    )


@dataclass(frozen=True)
class _Entry:
    """One named part of a kubeconfig and the directory its relative paths start from."""

    values: Mapping[str, Any]
    directory: Path

    def content(self, key: str) -> bytes | None:
        """Bytes given inline as `<key>-data`, or in the file named by `<key>`."""
        if inline := self.values.get(f"{key}-data"):
            import base64

            return base64.b64decode(inline)
        if not (named := self.values.get(key)):
            return None
        try:
            return (self.directory / str(named)).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"cannot read the {key} named in the kubeconfig: {error}") from error


_Entries = dict[str, _Entry]


def _merge(paths: list[Path]) -> tuple[_Entries, _Entries, _Entries, str]:
    parts: dict[str, _Entries] = {"cluster": {}, "user": {}, "context": {}}
    current, seen = "", False
    for path in paths:
        if not path.is_file() and len(paths) > 1:
            continue  # kubectl, too, lets a list name files that do not exist yet
        document, seen = _load(path), True
        current = current or str(document.get("current-context") or "")
        for kind, entries in parts.items():
            for item in document.get(f"{kind}s") or []:
                entries.setdefault(str(item["name"]), _Entry(item.get(kind) or {}, path.resolve().parent))
    if not seen:
        raise KubeconfigError(f"none of these kubeconfig files exists: {os.pathsep.join(map(str, paths))}")
    return parts["cluster"], parts["user"], parts["context"], current


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise KubeconfigError(f"cannot read the kubeconfig: {error}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path}: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path}: not a kubeconfig: expected a mapping at the top")
    return document


def _entry(entries: _Entries, name: object, kind: str, shown: str) -> _Entry:
    if str(name) not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise KubeconfigError(f"{shown}: no {kind} named {name!r}; it has: {known}")
    return entries[str(name)]


def _refuse_unsupported(cluster: _Entry, user: _Entry, shown: str) -> None:
    for key in ("proxy-url",):
        if cluster.values.get(key):
            raise KubeconfigError(f"{shown}: {key} is not supported here; use a context without it")
    for key in ("username", "as", "as-uid", "as-groups", "as-user-extra"):
        if user.values.get(key):
            raise KubeconfigError(
                f"{shown}: a user with {key!r} is not supported here; use a token or certificate"
            )


def _credential(user: _Entry, paths: list[Path], context: str) -> Credential:
    if token := user.values.get("token"):
        return StaticToken(str(token))
    if named := user.values.get("tokenFile"):
        return TokenFile(user.directory / str(named))
    if user.values.get("exec") or user.values.get("auth-provider"):
        return PluginCredential(os.pathsep.join(map(str, paths)), context)
    return NoCredential()


def _load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    import tempfile

    # OpenSSL takes the pair from a file only; this one is private to us and gone when the block ends.
    with tempfile.NamedTemporaryFile(prefix="kruntimes-client-") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def _own_namespace(directory: Path) -> str:
    try:
        return (directory / "namespace").read_text().strip() or "default"
    except FileNotFoundError:  # a projected token may come without it
        return "default"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _dev_kubeconfig(environ: Mapping[str, str]) -> Path:
    data = environ.get("XDG_DATA_HOME")
    return (Path(data) if data else _home(environ) / ".local" / "share") / DEV_KUBECONFIG
