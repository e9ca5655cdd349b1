"""A certificate authority for one local run, so that even there every TLS connection is verified."""

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core import clock

#: The server's certificate is made anew at every start; the authority lasts longer than any demo.
AUTHORITY_LASTS, SERVER_LASTS = timedelta(days=3650), timedelta(days=90)


class Files(NamedTuple):
    """Paths of PEM files; the keys are 0600."""

    authority: Path
    certificate: Path
    key: Path


def files(folder: Path) -> Files:
    return Files(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def prepare(folder: Path) -> Files:
    """Make the authority if there is none yet, and a fresh server certificate for localhost under it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = files(folder)
    ca_key_file = folder / "ca.key"
    if not (found.authority.exists() and ca_key_file.exists()):
        key, certificate = _authority()
        _write(ca_key_file, _pem(key), private=True)
        _write(found.authority, certificate.public_bytes(serialization.Encoding.PEM))
    ca = x509.load_pem_x509_certificate(found.authority.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key, certificate = _server(ca, ca_key)
    _write(found.key, _pem(key), private=True)
    _write(found.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return found


def _builder(subject: str, issuer: x509.Name, lasts: timedelta) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lasts)
    )


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = "Carillon local run authority"
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, _name(name), AUTHORITY_LASTS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _server(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    certificate = (
        _builder("localhost", ca.subject, SERVER_LASTS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, certificate


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644), "wb") as file:
        file.write(content)
