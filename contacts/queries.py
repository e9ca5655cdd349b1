"""Reads of this room. Whoever opens many people reads them in one query."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.models import User
from audit.models import Entry
from contacts.models import Attribute, Contact, Import, ImportTouch
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
    for people in iter_numbered(size):
        yield [(i, record) for _, i, record in people]


def iter_numbered(size: int = 10_000) -> Iterator[list[tuple[int, UUID, Record]]]:
    """Everybody, opened, in order of contact number, which comes first."""
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
        yield [(row[0], row[1], open_record(SealedRow(*row[1:]))) for row in rows]


def by_email(address: str) -> list[UUID]:
    """Everybody with exactly this address (a family may share one)."""
    found = Contact.objects.filter(email_index=blind.index("email", address))
    return list(found.order_by("id").values_list("id", flat=True))


def by_external_id(external_id: str) -> UUID | None:
    found = Contact.objects.filter(external_index=blind.index("external_id", external_id))
    return found.values_list("id", flat=True).first()


def open_one(contact: Contact) -> Record:
    return open_record(SealedRow(contact.pk, contact.kek_id, bytes(contact.data_key), bytes(contact.sealed)))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of contacts, newest first; the cursors are ids of people, which say nothing."""

    contacts: list[Contact]
    after: UUID | None
    #: None on the first page.
    before: UUID | None


def page(*, after: UUID | None = None, before: UUID | None = None, size: int = 50) -> Page:
    """A page of people by cursor: page 10,000 costs what page one costs."""
    rows = Contact.objects.all()
    if before is not None:
        found = list(rows.filter(pk__gt=before).order_by("pk")[: size + 1])
        more, contacts = len(found) > size, list(reversed(found[:size]))
        return Page(contacts, contacts[-1].pk if contacts else None, contacts[0].pk if more else None)
    if after is not None:
        rows = rows.filter(pk__lt=after)
    found = list(rows.order_by("-pk")[: size + 1])
    contacts = found[:size]
    return Page(
        contacts, contacts[-1].pk if len(found) > size else None, contacts[0].pk if after and contacts else None
    )


#: Up to here people are counted one by one; beyond, the list says about how many there are.
COUNTED = 50_000


def headcount() -> tuple[int, bool]:
    """How many people there are, and whether that is exact: counting a million takes longer than showing the page."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'contacts_contact'::regclass")
        about = int(cursor.fetchone()[0])
    if about <= COUNTED:
        return Contact.objects.count(), True
    return round(about, 3 - len(str(about))), False


def find(text: str) -> list[UUID]:
    """Everybody whose email or external id is exactly this."""
    text = text.strip()
    if not text:
        return []
    found = by_email(text) if "@" in text else []
    external = by_external_id(text)
    return found + ([external] if external and external not in found else [])


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a person's history."""

    at: datetime
    icon: str
    text: str
    by: str = ""
    import_id: UUID | None = None


_HAPPENINGS = {
    "contact.created": ("plus", "Added"),
    "contact.changed": ("draft", "Changed"),
    "contact.revealed": ("open", "Values revealed"),
    "contact.unreadable": ("warning", "The record was found not to open"),
    "contact.readable": ("check", "The record opens again"),
}


def history(contact: Contact, *, limit: int = 100) -> list[Happening]:
    """What happened to this record here: edits, reveals and imports, newest first. Four queries."""
    entries = list(Entry.objects.filter(subject_id=contact.pk, action__in=_HAPPENINGS).order_by("-at")[:limit])
    staff = {entry.actor_id for entry in entries if entry.actor_kind == "staff" and entry.actor_id}
    names = {str(pk): name for pk, name in User.objects.filter(pk__in=staff).values_list("pk", "name")}
    happenings = [
        Happening(entry.at, *_HAPPENINGS[entry.action], by=names.get(entry.actor_id, _ACTORS.get(entry.actor_kind, "")))
        for entry in entries
    ]
    touches = ImportTouch.objects.filter(contact_id=contact.pk).select_related("owner").order_by("-at")[:limit]
    for touch in touches:
        what = "Added" if touch.created else "Changed"
        undone = ", since undone" if touch.owner.state == Import.State.UNDONE else ""
        happenings.append(Happening(touch.at, "upload", f"{what} by an import{undone}", import_id=touch.owner_id))
    if not any(item.text.startswith("Added") for item in happenings):
        happenings.append(Happening(contact.created_at, "plus", "Added"))
    return sorted(happenings, key=lambda item: item.at, reverse=True)[:limit]


_ACTORS = {"system": "Carillon", "token": "API", "patient": "the person"}
