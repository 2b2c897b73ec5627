"""The server's own CA, certificate, token and kubeconfig, made once; it never accepts a connection."""

import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONTEXT = "kruntimes-dev"
_DAY = datetime.timedelta(days=1)
_YEARS = 10 * 365 * _DAY


@dataclass(frozen=True)
class Identity:
    """What the server shows and what it wants to be shown."""

    ca: Path
    certificate: Path
    key: Path
    token: str


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def load_or_make(data: Path, now: datetime.datetime) -> Identity:
    """The identity kept in `<data>/ca`, made at the first start."""
    folder = data / "ca"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity = Identity(folder / "ca.crt", folder / "server.crt", folder / "server.key", "")
    token = folder / "token"
    if not token.exists():  # written last, so its presence means the others are whole
        _make(identity, now)
        write_private(token, secrets.token_urlsafe(32).encode())
    return Identity(identity.ca, identity.certificate, identity.key, token.read_text("ascii").strip())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: str, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("kruntimes-dev-ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _YEARS)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _make(identity: Identity, now: datetime.datetime) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id)
    ca = (
        _builder("kruntimes-dev-ca", ca_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    server = (
        _builder("kruntimes-dev-apiserver", key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    write_private(identity.ca, ca.public_bytes(pem))
    write_private(identity.certificate, server.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(identity.key, private)


def write_kubeconfig(data: Path, identity: Identity, address: str) -> Path:
    """`<data>/kubeconfig`, readable by its owner alone, with everything a client needs."""
    cluster = {"server": address, "certificate-authority": str(identity.ca.absolute())}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": identity.token}}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}
        ],
    }
    path = data / "kubeconfig"
    write_private(path, yaml.safe_dump(content, sort_keys=False).encode())
    return path
