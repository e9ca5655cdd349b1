"""Encrypted scalars: django-encrypted-model-fields, hardened (docs/adr/0002). Fail closed, bound to their column.

For small tables only (names, rules, secrets, evidence); a contact's values live in its sealed record.
"""

import base64
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Model
from encrypted_model_fields.fields import EncryptedTextField as LibraryField

from phi.errors import SealBroken
from phi.keyring import keyring

PREFIX = "s1."


class EncryptedTextField(LibraryField):  # type: ignore[misc]
    """Text, AES-256-GCM at rest, `str` in Python. Not for lookups: no equality of ciphertexts means anything."""

    def _aad(self) -> bytes:
        model: type[Model] = self.model
        return f"{model._meta.db_table}.{self.column}".encode()

    def _cipher(self) -> AESGCM:
        return AESGCM(keyring().secret("fields"))

    def dump(self, value: Any) -> str:
        return str(value)

    def load(self, text: str) -> Any:
        return text

    def to_python(self, value: Any) -> Any:
        return value

    def from_db_value(self, value: str | None, expression: Any = None, connection: Any = None) -> Any:
        if value is None:
            return None
        if not value.startswith(PREFIX):
            raise SealBroken("An encrypted field holds something that was never encrypted.")
        raw = base64.b64decode(value[len(PREFIX) :])
        try:
            return self.load(self._cipher().decrypt(raw[:12], raw[12:], self._aad()).decode())
        except InvalidTag:
            raise SealBroken("An encrypted field did not open.") from None

    def get_db_prep_save(self, value: Any, connection: Any) -> str | None:
        if value is None:
            return None
        if hasattr(value, "resolve_expression"):
            raise TypeError("An encrypted field takes values, not expressions.")
        nonce = os.urandom(12)
        sealed = self._cipher().encrypt(nonce, self.dump(value).encode(), self._aad())
        return PREFIX + base64.b64encode(nonce + sealed).decode()

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class EncryptedJSONField(EncryptedTextField):
    """A JSON value, encrypted as a whole."""

    def dump(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def load(self, text: str) -> Any:
        return json.loads(text)
