"""Parquet Modular Encryption under our own keys: the keyring wraps a partition's data key, which wraps its files' keys.

Footer and every column are encrypted with AES-256-GCM under one fresh key a file. That key lies in the file, wrapped
under the data key of what the file belongs to; a factory lives no longer than one file, so nothing is cached.
"""

import base64
import os
from typing import Any

import pyarrow.parquet.encryption as pme
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phi.errors import SealBroken

#: What the format calls the master key: there is one, the data key given.
_MASTER = "data-key"
_CONNECTION = pme.KmsConnectionConfig()
_ENCRYPTION = pme.EncryptionConfiguration(
    footer_key=_MASTER,
    uniform_encryption=True,  # columns are encrypted with the footer's key: one key to unwrap a file
    encryption_algorithm="AES_GCM_V1",
    plaintext_footer=False,
    double_wrapping=False,
    internal_key_material=True,
    data_key_length_bits=256,
)
_DECRYPTION = pme.DecryptionConfiguration()


class _DataKey(pme.KmsClient):  # type: ignore[misc]
    """Wraps the keys of files under one data key."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._cipher = AESGCM(key)

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        nonce = os.urandom(12)
        wrapped = self._cipher.encrypt(nonce, key_bytes, master_key_identifier.encode())
        return base64.b64encode(nonce + wrapped).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        try:
            raw = base64.b64decode(wrapped_key)
            return self._cipher.decrypt(raw[:12], raw[12:], master_key_identifier.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("The key of a file did not unwrap.") from None


def _factory(key: bytes) -> pme.CryptoFactory:
    return pme.CryptoFactory(lambda _: _DataKey(key))


def encryption(key: bytes) -> Any:
    """How to encrypt one file under a data key of 32 bytes."""
    return _factory(key).file_encryption_properties(_CONNECTION, _ENCRYPTION)


def decryption(key: bytes) -> Any:
    """How to decrypt one file written under this data key."""
    return _factory(key).file_decryption_properties(_CONNECTION, _DECRYPTION)
