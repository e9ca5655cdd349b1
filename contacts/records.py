"""What is inside a contact's seal: one typed record, one blob."""

from typing import Any

import msgspec

#: Raised when the layout changes; bound into the associated data.
SCHEMA_VERSION = 1


class Coded(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One entry of a coded list. Dates are ISO 8601 days; `stop` None: still active."""

    code: str
    display: str = ""
    start: str | None = None
    stop: str | None = None


class Record(msgspec.Struct, omit_defaults=True):
    """Everything known of one person. `values` by attribute key, in the form contacts.values gives them."""

    values: dict[str, Any] = {}
    coded: dict[str, list[Coded]] = {}

    @property
    def email(self) -> str:
        return str(self.values.get("email") or "")

    @property
    def external_id(self) -> str:
        return str(self.values.get("external_id") or "")


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(Record).decode


def encode(record: Record) -> bytes:
    return _encode(record)


def decode(raw: bytes) -> Record:
    return _decode(raw)
