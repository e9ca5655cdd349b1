"""What somebody says about people, and what is known of them: identities, and the record that comes of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from contacts.models import Contact
from contacts.records import Coded, Record
from contacts.seal import SealedRow, key_of, open_record
from phi import blind


class Person(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What somebody says about one person. A value of None clears it; a key that is absent leaves it as it is."""

    values: dict[str, Any]
    #: Lists replace what is known, or are folded into it (`upsert_many(fold=True)`).
    coded: dict[str, list[Coded]] = {}


class Marks(msgspec.Struct, array_like=True):
    """Blind indexes of the external ids and addresses that a list of people gives, None where one gives none."""

    externals: list[bytes | None] = []
    emails: list[bytes | None] = []


@dataclass(slots=True)
class Known:
    """A person as the database has them, opened."""

    row: SealedRow
    key: bytes
    record: Record
    email_index: bytes | None
    external_index: bytes | None


def fold_list(known: Iterable[Coded], news: Iterable[Coded]) -> list[Coded]:
    """Both lists as one, an entry being known by its code and start; news wins. Sorted, so equal lists are equal."""
    merged = {(entry.code, entry.start): entry for entry in known}
    merged.update({(entry.code, entry.start): entry for entry in news})
    return sorted(merged.values(), key=lambda entry: (entry.start or "", entry.code))


def merge(record: Record, person: Person, *, fold: bool) -> Record:
    """The record after what `person` says. Pure; the argument is left alone."""
    if not (record.values or person.coded or None in person.values.values() or "" in person.values.values()):
        return Record(dict(person.values), dict(record.coded))  # a new person of an import: nothing to weigh
    values = dict(record.values)
    for key, value in person.values.items():
        if value is None or value == "":
            values.pop(key, None)
        else:
            values[key] = value
    coded = dict(record.coded)
    for key, entries in person.coded.items():
        merged = fold_list(coded.get(key, ()) if fold else (), entries)
        if merged:
            coded[key] = merged
        else:
            coded.pop(key, None)
    return Record(values, coded)


def index_of(name: str, value: object) -> bytes | None:
    return blind.index(name, str(value)) if value else None


def _indexes(name: str, people: Sequence[Person]) -> list[bytes | None]:
    given = [person.values.get(name) for person in people]
    made = iter(blind.indexes(name, [str(value) for value in given if value]))
    return [next(made) if value else None for value in given]


def marks_of(people: Sequence[Person]) -> Marks:
    """The blind indexes of what these people give, made in one go."""
    return Marks(_indexes("external_id", people), _indexes("email", people))


def known_of(contact: Contact) -> Known:
    """One person opened, to be changed."""

    def raw(value: bytes | memoryview | None) -> bytes | None:
        return None if value is None else bytes(value)

    row = SealedRow(contact.pk, contact.kek_id, bytes(contact.data_key), bytes(contact.sealed))
    key = key_of(row)
    return Known(row, key, open_record(row, key=key), raw(contact.email_index), raw(contact.external_index))


def moves(before: bytes | memoryview | None, address: object) -> bool:
    """Whether mail on its way to somebody would reach another mailbox than the one they are to have now."""
    return moves_to(before, index_of("email", address))


def moves_to(before: bytes | memoryview | None, index: bytes | None) -> bool:
    return before is not None and bytes(before) != index
