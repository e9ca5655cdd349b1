"""Checkpoints are C2SP signed notes: text an auditor can keep, read and check with any implementation.

The audit room lies below the seal, so whoever owns the keys (phi) lends one here at start-up.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import TrailBroken

ED25519 = b"\x01"
_lenders: list[Callable[[], bytes]] = []


def lend_key(seed: Callable[[], bytes]) -> None:
    """Say where the 32-byte seed of the signing key comes from; asked anew for every signature."""
    _lenders[:] = [seed]


@dataclass(frozen=True, slots=True)
class Head:
    """A tree head: what a checkpoint says."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def _key() -> Ed25519PrivateKey:
    if not _lenders:
        raise TrailBroken("Nobody lends the trail a signing key.")
    return Ed25519PrivateKey.from_private_bytes(_lenders[0]())


def _public() -> bytes:
    return _key().public_key().public_bytes_raw()


def origin() -> str:
    """Name of this deployment's trail, the same as long as its key is."""
    return f"carillon/trail/{hashlib.sha256(_public()).hexdigest()[:16]}"


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def verifier_key() -> str:
    """The public key as C2SP signed-note writes it: name+id+key. Auditors get it once, by another way."""
    name, public = origin(), _public()
    return f"{name}+{_key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def fingerprint() -> str:
    """SHA-256 of the public key in groups of four, to be compared by eye."""
    digest = hashlib.sha256(_public()).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 64, 4))


def sign(size: int, root: bytes) -> str:
    """The signed note over this head."""
    name = origin()
    text = Head(name, size, root).text()
    signature = _key_id(name, _public()) + _key().sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n"


def read(note: str) -> Head:
    """What a note of ours says; TrailBroken if we did not sign exactly this."""
    try:
        text, _, signatures = note.partition("\n\n")
        name, size, root = text.split("\n")
        head = Head(name, int(size), base64.b64decode(root, validate=True))
        dash, signer, encoded = signatures.removesuffix("\n").split(" ")
        raw = base64.b64decode(encoded, validate=True)
        public = _public()
        if dash != "—" or signer != name or name != origin() or raw[:4] != _key_id(name, public):
            raise ValueError("not ours")
        Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], head.text().encode())
        if head.text() != text + "\n":
            raise ValueError("another spelling")
    except (ValueError, binascii.Error, InvalidSignature):
        raise TrailBroken("A checkpoint of the trail does not carry our signature.") from None
    return head
