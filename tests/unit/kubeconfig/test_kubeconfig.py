"""How a cluster is found, and what each kind of kubeconfig says."""

from __future__ import annotations

import base64
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kruntimes.kubeconfig import (
    ClusterAccess,
    KubeconfigError,
    for_person,
    for_program,
    from_files,
    in_cluster,
)


def make_config(name: str = "one", **parts: Any) -> dict[str, Any]:
    cluster = {"server": f"https://{name}.example:6443"} | parts.get("cluster", {})
    context = {"cluster": name, "user": name} | parts.get("context", {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": parts.get("user", {"token": f"token-{name}"})}],
        "contexts": [{"name": name, "context": context}],
    }


def write(path: Path, config: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_server_token_and_namespace_come_from_the_current_context(tmp_path: Path) -> None:
    access = from_files([write(tmp_path / "c", make_config(context={"namespace": "team"}))])
    assert (access.server, access.namespace) == ("https://one.example:6443", "team")
    assert access.credential.authorization() == "Bearer token-one"


def test_files_are_merged_and_the_first_that_has_a_name_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", make_config("one"))
    second = write(tmp_path / "b", make_config("two"))
    assert from_files([first, second, tmp_path / "missing"]).server == "https://one.example:6443"
    assert from_files([first, second], "two").server == "https://two.example:6443"


def test_relative_paths_start_at_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ca.crt").write_text("authorities")
    (tmp_path / "sub" / "token").write_text("from a file\n")
    config = make_config(cluster={"certificate-authority": "ca.crt"}, user={"tokenFile": "token"})
    access = from_files([write(tmp_path / "sub" / "c", config)])
    assert access.ca == "authorities"
    assert access.credential.authorization() == "Bearer from a file"


def test_inline_data_is_decoded(tmp_path: Path) -> None:
    user = {"client-certificate-data": b64(b"cert"), "client-key-data": b64(b"key")}
    config = make_config(cluster={"certificate-authority-data": b64(b"ca")}, user=user)
    access = from_files([write(tmp_path / "c", config)])
    assert (access.ca, access.client_certificate, access.client_key) == ("ca", b"cert", b"key")
    assert access.credential.authorization() is None


def make_certificate() -> tuple[bytes, bytes]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(pem, *form)


def test_a_client_certificate_is_loaded_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    certificate, key = make_certificate()
    access = ClusterAccess(
        "https://x", ca=certificate.decode(), client_certificate=certificate, client_key=key
    )
    context = access.ssl_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1
    assert list(tmp_path.iterdir()) == []


def test_verification_is_off_only_when_asked(tmp_path: Path) -> None:
    config = make_config(cluster={"insecure-skip-tls-verify": True})
    context = from_files([write(tmp_path / "c", config)]).ssl_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE
    assert ClusterAccess("http://127.0.0.1:1").ssl_context() is None


WRONG: dict[str, tuple[Any, str]] = {
    "no current context": (make_config() | {"current-context": ""}, "no current-context"),
    "an unknown context": (make_config() | {"current-context": "x"}, "no context named 'x'; it has: one"),
    "an unknown cluster": (make_config(context={"cluster": "x"}), "no cluster named 'x'"),
    "no server": (make_config(cluster={"server": ""}), "names no server"),
    "a proxy": (make_config(cluster={"proxy-url": "http://p"}), "proxy-url is not supported"),
    "a password": (make_config(user={"username": "u", "password": "p"}), "'username' is not supported"),
    "a missing file": (make_config(cluster={"certificate-authority": "nowhere"}), "cannot read the certif"),
    "a list": ([1], "not a kubeconfig"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, name: str) -> None:
    config, want = WRONG[name]
    with pytest.raises(KubeconfigError, match=want):
        from_files([write(tmp_path / "c", config)])


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("{[")
    with pytest.raises(KubeconfigError, match="c: not YAML"):
        from_files([tmp_path / "c"])


def test_a_persons_cluster_is_looked_for_in_order(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    environ["KRUNTIMES_SERVICE_ACCOUNT_DIR"] = str(make_service_account(tmp_path / "sa"))
    found = [for_person(environ=environ).server]
    write(tmp_path / ".kube" / "config", make_config("home"))
    found.append(for_person(environ=environ).server)
    write(tmp_path / ".local" / "share" / "kruntimes" / "dev" / "kubeconfig", make_config("dev"))
    found.append(for_person(environ=environ).server)
    environ["KUBECONFIG"] = str(write(tmp_path / "named", make_config("named")))
    found.append(for_person(environ=environ).server)
    found.append(for_person(write(tmp_path / "flag", make_config("flag")), environ=environ).server)
    hosts = [
        "10.0.0.1:443",
        "home.example:6443",
        "dev.example:6443",
        "named.example:6443",
        "flag.example:6443",
    ]
    assert found == [f"https://{host}" for host in hosts]


def test_a_program_in_a_pod_uses_the_pods_own_identity(tmp_path: Path) -> None:
    directory = make_service_account(tmp_path / "sa")
    environ = {
        "HOME": str(tmp_path),
        "KUBECONFIG": str(write(tmp_path / "c", make_config())),
        "KUBERNETES_SERVICE_HOST": "::1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "KRUNTIMES_SERVICE_ACCOUNT_DIR": str(directory),
    }
    access = for_program(environ)
    assert (access.server, access.namespace, access.ca) == ("https://[::1]:6443", "team", "authorities")
    del environ["KUBERNETES_SERVICE_HOST"]
    assert for_program(environ).server == "https://one.example:6443"


def test_a_renewed_token_is_seen_at_once(tmp_path: Path) -> None:
    directory = make_service_account(tmp_path / "sa")
    environ = {"KUBERNETES_SERVICE_HOST": "h", "KRUNTIMES_SERVICE_ACCOUNT_DIR": str(directory)}
    access = in_cluster(environ)
    assert access.credential.authorization() == "Bearer first"
    (directory / "next").write_text("second")
    os.replace(directory / "next", directory / "token")
    assert access.credential.authorization() == "Bearer second"


def test_a_pod_without_its_token_is_told_so(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "h", "KRUNTIMES_SERVICE_ACCOUNT_DIR": str(tmp_path)}
    with pytest.raises(KubeconfigError, match="is the token mounted"):
        in_cluster(environ)


def test_without_any_cluster_one_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="krt dev up"):
        for_person(environ={"HOME": str(tmp_path)})


def test_an_exec_plugin_is_run_for_its_token(tmp_path: Path) -> None:
    answer = (
        '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"made"}}'
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [answer],
        "interactiveMode": "Never",
    }
    access = from_files([write(tmp_path / "c", make_config(user={"exec": plugin}))])
    assert access.credential.authorization() == "Bearer made"


def test_a_token_shows_in_no_log(tmp_path: Path) -> None:
    assert "token-one" not in repr(from_files([write(tmp_path / "c", make_config())]))


def make_service_account(directory: Path) -> Path:
    directory.mkdir()
    for name, text in {"token": "first\n", "ca.crt": "authorities", "namespace": "team"}.items():
        (directory / name).write_text(text)
    return directory
