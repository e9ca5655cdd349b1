"""AES-256-GCM over padded bytes, under a data key of its own. Pure but for the keyring.

Layout of a sealed value: one byte algorithm (1 = AES-256-GCM), 12 bytes nonce, ciphertext with 16-byte tag.
Associated data binds table, row and schema version, so a ciphertext moved elsewhere does not open (IDX-08).
"""

import os
from bisect import bisect_left
from collections.abc import Iterable
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
    return new_data_keys(1)[0]


def new_data_keys(count: int) -> list[tuple[bytes, WrappedKey]]:
    """So many fresh data keys, all wrapped under the one key-encryption key that is current now."""
    kek_id, wrap = keyring().current_kek(), keyring().wrap
    keys = [os.urandom(32) for _ in range(count)]
    return [(key, WrappedKey(kek_id, wrap(key, kek_id))) for key in keys]


def unwrap(wrapped: WrappedKey) -> bytes:
    return keyring().unwrap(wrapped.wrapped, wrapped.kek_id)


def _pad(plaintext: bytes, sizes: tuple[int, ...]) -> bytes:
    length = len(plaintext) + 4
    place = bisect_left(sizes, length)
    size = sizes[place] if place < len(sizes) else -(-length // sizes[-1]) * sizes[-1]
    return len(plaintext).to_bytes(4, "big") + plaintext + bytes(size - length)


def _open(sealed: bytes, cipher: AESGCM, aad: bytes) -> bytes:
    if sealed[:1] != AES_256_GCM:
        raise SealBroken("A sealed value has an unknown form.")
    try:
        padded = cipher.decrypt(sealed[1:13], sealed[13:], aad)
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
        raise SealBroken("A sealed value did not open.") from None
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


def seal(plaintext: bytes, *, key: bytes, aad: bytes, sizes: tuple[int, ...] = SIZES) -> bytes:
    """Ciphertext whose length tells only which of `sizes` (bytes) the plaintext fits."""
    nonce = os.urandom(12)
    return AES_256_GCM + nonce + AESGCM(key).encrypt(nonce, _pad(plaintext, sizes), aad)


def open_sealed(sealed: bytes, *, key: bytes, aad: bytes) -> bytes:
    """The plaintext; SealBroken if a byte was changed or the ciphertext was moved here from elsewhere."""
    return _open(sealed, AESGCM(key), aad)


def open_many(rows: Iterable[tuple[str, bytes, bytes, bytes]]) -> list[bytes]:
    """The plaintexts of many (kek_id, wrapped data key, sealed, aad), in order; the first that does not open raises."""
    unwrap_key = keyring().unwrap
    return [_open(sealed, AESGCM(unwrap_key(wrapped, kek_id)), aad) for kek_id, wrapped, sealed, aad in rows]


def aad(table: str, row: bytes, version: int = 1) -> bytes:
    """Associated data that binds a ciphertext to its table, row and schema version."""
    return table.encode() + b"\x00" + row + version.to_bytes(2, "big")
