"""Keys come from one provider: key-encryption keys (KEK) that wrap data keys, and one secret per purpose.

Hierarchy (KEY-01): provider root -> KEK -> one data key per contact -> a nonce per record.
"""

from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class KeyProvider(Protocol):
    """What a key store must answer. Raises KeyUnavailable; never returns a made-up key."""

    def current_kek(self) -> str:
        """Id of the key-encryption key that new data keys are wrapped under."""

    def wrap(self, data_key: bytes, kek_id: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, kek_id: str) -> bytes: ...

    def secret(self, purpose: str) -> bytes:
        """A stable 32-byte key for one purpose ("index:email", "token", "fields", "audit:sign")."""


@cache
def keyring() -> KeyProvider:
    provider: KeyProvider = import_string(settings.PHI_KEY_PROVIDER)()
    return provider
