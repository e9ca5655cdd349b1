"""Encrypted scalars: django-encrypted-model-fields, hardened (docs/adr/0002). Fail closed, bound to their column.

For small tables only (names, rules, secrets, evidence); a contact's values live in its sealed record.
Stored form: `s1.<id of the field key>.<base64 of a phi.seal value>`.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import FieldError
from django.db.models import Case, Field, Model, Value
from django.db.models.functions import Cast
from encrypted_model_fields.fields import EncryptedTextField as LibraryField

from phi import seal
from phi.errors import SealBroken
from phi.keyring import keyring

PREFIX = "s1"
#: Lengths that a stored value's ciphertext may have, in bytes of plaintext (IDX-07).
SIZES = (64, 256, 1024, 4096, 16384)


class EncryptedTextField(LibraryField):  # type: ignore[misc]
    """Text, AES-256-GCM at rest, `str` in Python. Not for lookups: no equality of ciphertexts means anything."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("unique") or kwargs.get("db_index") or kwargs.get("primary_key"):
            raise FieldError("An encrypted field cannot be indexed: equal values have unequal ciphertexts.")
        super().__init__(*args, **kwargs)

    def _aad(self) -> bytes:
        model: type[Model] = self.model
        return f"{model._meta.db_table}.{self.column}".encode()

    def dump(self, value: Any) -> str:
        return str(value)

    def load(self, text: str) -> Any:
        return text

    def to_python(self, value: Any) -> Any:
        """As typed. The library decrypts here, so that a ciphertext pasted into a form shows its plaintext."""
        return value

    def encrypt(self, value: Any) -> str:
        """The stored form of `value`, new on every call."""
        key_id = keyring().current_field_key()
        key = keyring().secret(f"fields:{key_id}")
        sealed = seal.seal(self.dump(value).encode(), key=key, aad=self._aad(), sizes=SIZES)
        return f"{PREFIX}.{key_id}.{base64.b64encode(sealed).decode()}"

    def decrypt(self, stored: str) -> Any:
        """The value; SealBroken for anything this column did not encrypt itself."""
        try:
            prefix, key_id, body = stored.split(".")
            sealed = base64.b64decode(body, validate=True)
        except (ValueError, binascii.Error):
            raise SealBroken("An encrypted field holds something that was never encrypted.") from None
        if prefix != PREFIX:
            raise SealBroken("An encrypted field holds something that was never encrypted.")
        return self.load(seal.open_sealed(sealed, key=keyring().secret(f"fields:{key_id}"), aad=self._aad()).decode())

    def from_db_value(self, value: str | None, expression: Any = None, connection: Any = None) -> Any:
        return None if value is None else self.decrypt(value)

    # An expression would reach the column without passing `encrypt`: refused on save, insert and update alike.

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        value = self._value_only(value)
        return value if value is None or hasattr(value, "resolve_expression") else self.encrypt(value)

    def pre_save(self, model_instance: Model, add: bool) -> Any:
        return self._value_only(super().pre_save(model_instance, add))

    def _value_only(self, value: Any) -> Any:
        if hasattr(value, "resolve_expression") and not self._is_bulk_update(value):
            raise FieldError(f"{self.name} is encrypted: it takes values, not expressions.")
        return value

    def _is_bulk_update(self, expression: Any) -> bool:
        """Whether this is the CASE of plain values that QuerySet.bulk_update makes."""
        if isinstance(expression, Cast):
            (expression,) = expression.get_source_expressions()
        if not isinstance(expression, Case):
            return False
        results = [when.result for when in expression.cases]
        return all(isinstance(result, Value) and result.output_field is self for result in results)

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> Any:
        return None


class EncryptedJSONField(EncryptedTextField):
    """A JSON value, encrypted as a whole."""

    def dump(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def load(self, text: str) -> Any:
        return json.loads(text)


def encrypted_fields(model: type[Model]) -> Sequence[EncryptedTextField]:
    fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
    return [field for field in fields if isinstance(field, EncryptedTextField)]
