"""Close and open a contact's record under the contact's own key."""

from typing import NamedTuple, Protocol
from uuid import UUID

from contacts.records import SCHEMA_VERSION, Record, decode, encode
from phi import seal

TABLE = "contacts_contact"


class Sealed(Protocol):
    """What it takes to open a record: a Contact, or a bare row of these columns."""

    @property
    def id(self) -> UUID: ...
    @property
    def kek_id(self) -> str: ...
    @property
    def data_key(self) -> bytes: ...
    @property
    def sealed(self) -> bytes: ...


class SealedRow(NamedTuple):
    """The four columns, read without a model where there are many."""

    id: UUID
    kek_id: str
    data_key: bytes
    sealed: bytes


def _aad(contact_id: UUID) -> bytes:
    return seal.aad(TABLE, contact_id.bytes, SCHEMA_VERSION)


def key_of(row: Sealed) -> bytes:
    """The contact's data key in the clear, for immediate use."""
    return seal.unwrap(seal.WrappedKey(row.kek_id, bytes(row.data_key)))


def seal_record(contact_id: UUID, record: Record, *, key: bytes) -> bytes:
    """The sealed form of a record, openable only as this contact's row."""
    return seal.seal(encode(record), key=key, aad=_aad(contact_id))


def open_record(row: Sealed, *, key: bytes | None = None) -> Record:
    """What is known of a person. Raises SealBroken on anything altered, moved, or shredded."""
    return decode(seal.open_sealed(bytes(row.sealed), key=key or key_of(row), aad=_aad(row.id)))
