"""AES-256-GCM over padded bytes, under a data key of its own. Pure but for the keyring.

Layout of a sealed value: one byte algorithm (1 = AES-256-GCM), 12 bytes nonce, ciphertext with 16-byte tag.
Associated data binds table, row and schema version, so a ciphertext moved elsewhere does not open (IDX-08).
"""

import os
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phi.errors import SealBroken
from phi.keyring import keyring

AES_256_GCM = b"\x01"
#: Plaintext lengths are padded up to these, then to multiples of the last (IDX-07).
SIZES = (256, 1024, 4096, 16384)


class WrappedKey(NamedTuple):
    """A data key as it is stored: wrapped, beside the id of the key that wraps it."""

    kek_id: str
    wrapped: bytes


def new_data_key() -> tuple[bytes, WrappedKey]:
    """A fresh 32-byte data key, in the clear for immediate use and wrapped for storage."""
    key = os.urandom(32)
    kek_id = keyring().current_kek()
    return key, WrappedKey(kek_id, keyring().wrap(key, kek_id))


def unwrap(wrapped: WrappedKey) -> bytes:
    return keyring().unwrap(wrapped.wrapped, wrapped.kek_id)


def _pad(plaintext: bytes) -> bytes:
    length = len(plaintext) + 4
    size = next((s for s in SIZES if s >= length), -(-length // SIZES[-1]) * SIZES[-1])
    return len(plaintext).to_bytes(4, "big") + plaintext + bytes(size - length)


def seal(plaintext: bytes, *, key: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(12)
    return AES_256_GCM + nonce + AESGCM(key).encrypt(nonce, _pad(plaintext), aad)


def open_sealed(sealed: bytes, *, key: bytes, aad: bytes) -> bytes:
    """The plaintext; SealBroken if a byte was changed or the ciphertext was moved here from elsewhere."""
    if sealed[:1] != AES_256_GCM:
        raise SealBroken("A sealed value has an unknown form.")
    try:
        padded = AESGCM(key).decrypt(sealed[1:13], sealed[13:], aad)
    except InvalidTag:
        raise SealBroken("A sealed value did not open.") from None
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


def aad(table: str, row: bytes, version: int = 1) -> bytes:
    return table.encode() + b"\x00" + row + version.to_bytes(2, "big")
