"""DKIM: two signatures on each message, RSA-2048 and Ed25519 (RFC 6376, 8301, 8463; DLV-18, UNS-03). Pure.

relaxed/relaxed, no l=, and the headers that matter are signed once more than they occur, so none can be added.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

#: Signed twice each: once where it stands, once for its absence a second time ("oversigned").
OVERSIGNED = ("from", "to", "subject", "date", "list-unsubscribe", "list-unsubscribe-post", "list-id")
SIGNED = ("message-id", "reply-to", "mime-version", "content-type")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_RUNS = re.compile(rb"[ \t]{2,}|\t")
_SPACE = re.compile(rb"[ \t]+")


class Key:
    """One selector and its private key."""

    def __init__(self, selector: str, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise TypeError("A DKIM key is RSA or Ed25519.")
        self.selector = selector
        self.algorithm = "rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else "ed25519-sha256"
        self._key = key

    def sign(self, digest_input: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(digest_input, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(hashlib.sha256(digest_input).digest())


class Signature(NamedTuple):
    """A DKIM-Signature header but for its last part, and what that part signs."""

    key: Key
    fields: str
    signed: bytes

    def header(self) -> bytes:
        """The finished header. Nearly all the time of RSA is spent here, outside the interpreter's lock."""
        value = b64encode(self.key.sign(self.signed)).decode()
        folded = "\r\n  ".join(value[at : at + 72] for at in range(0, len(value), 72))
        return f"DKIM-Signature: {self.fields}{folded}\r\n".encode()


class Signer:
    """Signs for one domain with all its keys."""

    def __init__(self, domain: str, keys: list[Key]) -> None:
        self.domain = domain
        self.keys = keys

    def prepare(self, message: bytes, at: datetime) -> list[Signature]:
        """One signature per key for `message` (CRLF line ends throughout), still to be computed."""
        head, _, body = message.partition(b"\r\n\r\n")
        body_hash = b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
        lines = _relaxed_headers(head)
        names = [name for name in (*OVERSIGNED, *SIGNED) if name in lines]
        signed = b"".join(lines[name] for name in names)
        listed = ":".join([*names, *OVERSIGNED])
        found = []
        for key in self.keys:
            fields = (
                f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={self.domain}; s={key.selector};\r\n"
                f" t={int(at.timestamp())}; h={listed};\r\n bh={body_hash};\r\n b="
            )
            own = b"dkim-signature:" + _relaxed_value(fields.encode())
            found.append(Signature(key, fields, signed + own))
        return found

    def sign(self, message: bytes, at: datetime) -> bytes:
        """The DKIM-Signature headers to put before `message`."""
        return headers(self.prepare(message, at))


def headers(signatures: Iterable[Signature]) -> bytes:
    return b"".join(signature.header() for signature in signatures)


def _relaxed_value(value: bytes) -> bytes:
    return _SPACE.sub(b" ", _FOLD.sub(b"", value)).strip()


def _relaxed_headers(head: bytes) -> dict[str, bytes]:
    """By lower-case name, each header in relaxed form (RFC 6376 3.4.2); ours occur once each."""
    lines: dict[str, bytes] = {}
    for line in _FOLD.sub(b"", head).split(b"\r\n"):
        name, _, value = line.partition(b":")
        key = name.strip().lower()
        lines[key.decode("ascii")] = key + b":" + _SPACE.sub(b" ", value).strip() + b"\r\n"
    return lines


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4. Quoted-printable leaves no space at line ends, so most bodies need only their end trimmed."""
    if b"  " in body or b"\t" in body:
        body = _RUNS.sub(b" ", body)
    trimmed = body.replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    return trimmed + b"\r\n" if trimmed else b""


def new_rsa_key() -> str:
    """A fresh RSA-2048 private key, PEM."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def new_ed25519_key() -> str:
    return _pem(ed25519.Ed25519PrivateKey.generate())


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def dns_record(pem: str) -> str:
    """The TXT record's text for a private key: its public half (RFC 6376 3.6.1, RFC 8463)."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={b64encode(raw).decode()}"
