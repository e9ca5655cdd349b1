"""Reads of this room. Whoever opens many people reads them in one query."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from contacts.models import Attribute, Contact
from contacts.records import Record
from contacts.seal import SealedRow, open_record
from phi import blind


def attributes() -> dict[str, Attribute]:
    """The live definitions by key, in their order."""
    return {attribute.key: attribute for attribute in Attribute.objects.filter(removed_at=None)}


def _rows(where: str, params: list[Any]) -> list[SealedRow]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, kek_id, data_key, sealed FROM contacts_contact {where}", params)  # noqa: S608
        return [SealedRow(*row) for row in cursor.fetchall()]


def open_many(ids: Iterable[UUID]) -> dict[UUID, Record]:
    """What is known of these people, in one query; whoever was deleted is simply absent."""
    return {row.id: open_record(row) for row in _rows("WHERE id = ANY(%s)", [list(ids)])}


def iter_open(size: int = 10_000) -> Iterator[list[tuple[UUID, Record]]]:
    """Everybody, opened, `size` people at a time; memory does not grow with their number."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT number, id, kek_id, data_key, sealed FROM contacts_contact"
                " WHERE number > %s ORDER BY number LIMIT %s",
                [last, size],
            )
            rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield [(row[1], open_record(SealedRow(*row[1:]))) for row in rows]


def by_email(address: str) -> list[UUID]:
    """Everybody with exactly this address (a family may share one)."""
    found = Contact.objects.filter(email_index=blind.index("email", address))
    return list(found.order_by("id").values_list("id", flat=True))


def by_external_id(external_id: str) -> UUID | None:
    found = Contact.objects.filter(external_index=blind.index("external_id", external_id))
    return found.values_list("id", flat=True).first()
