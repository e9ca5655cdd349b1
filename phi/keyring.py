"""Keys come from one provider: key-encryption keys (KEK) that wrap data keys, and one secret per purpose.

Hierarchy (KEY-01): provider root -> KEK -> one data key per contact -> a nonce per record.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encryption key as its owner sees it: never its bytes."""

    id: str
    since: datetime
    #: When another key took over; None: new data keys are wrapped under this one.
    superseded_at: datetime | None


class KeyProvider(Protocol):
    """What a key store must answer. Raises KeyUnavailable; never returns a made-up key.

    A KEK id is whatever the store calls its keys: a name in a file, a key version of Vault Transit, the resource name
    of a cloud KMS key. Only `wrap`, `unwrap` and `secret` touch key material, so a store may keep it to itself.
    """

    def current_kek(self) -> str:
        """Id of the key-encryption key that new data keys are wrapped under; notices a rotation by another process."""

    def wrap(self, data_key: bytes, kek_id: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, kek_id: str) -> bytes: ...

    def current_field_key(self) -> str:
        """Id of the key for encrypted scalars; its bytes are `secret(f"fields:{id}")`."""

    def secret(self, purpose: str) -> bytes:
        """A stable 32-byte key for one purpose ("index:email", "token:1", "fields:f1", "audit:sign")."""

    def fingerprint(self) -> bytes:
        """16 bytes that tell this set of keys from another one, and nothing about the keys (phi.guard)."""

    def keks(self) -> list[Kek]:
        """Every key-encryption key there is, oldest first."""

    def add_kek(self) -> str:
        """Make a new key-encryption key the current one; its id."""

    def retire_kek(self, kek_id: str) -> None:
        """Destroy a superseded key-encryption key. What it still wraps is lost, so phi.commands looks first."""

    def add_field_key(self) -> str:
        """Make a new key for encrypted scalars the current one; its id."""


@cache
def keyring() -> KeyProvider:
    provider: KeyProvider = import_string(settings.PHI_KEY_PROVIDER)()
    return provider
