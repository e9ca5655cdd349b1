"""Add, change and delete people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from audit.commands import record as audit
from contacts import damaged, locks, persons, queries, signals, upsert, values
from contacts.errors import BadValue, ChangedMeanwhile, ExternalIdTaken, NeedsIdentity, UnknownAttribute
from contacts.models import Attribute, Contact
from contacts.persons import Person
from contacts.records import Coded, Record
from core.actors import By
from phi.errors import SealBroken

__all__ = [
    "Person", "SetResult", "UpsertResult", "clean_coded", "create", "delete", "delete_many", "set_values", "update",
    "upsert_many",
]  # fmt: skip

#: Entries a coded list may hold; more is a mistake in the file.
MAX_CODED = 20_000
#: Who somebody is: changed one person at a time (`update`), under the locks that this takes.
IDENTITY = ("email", "external_id")
BUSY = "somebody else is writing this person: try again"
TAKEN = "Another contact already has this external id. Open that contact, or give another id."


@dataclass(slots=True)
class UpsertResult:
    """What became of each person of the list."""

    created: list[UUID] = field(default_factory=list)
    changed: list[UUID] = field(default_factory=list)
    unchanged: list[UUID] = field(default_factory=list)
    #: position in the list -> why not
    refused: dict[int, str] = field(default_factory=dict)
    #: position in the list -> contact
    ids: dict[int, UUID] = field(default_factory=dict)


@dataclass(slots=True)
class SetResult:
    """What became of each person; who was deleted is in none of these."""

    changed: list[UUID] = field(default_factory=list)
    unchanged: list[UUID] = field(default_factory=list)
    #: contact -> why not
    refused: dict[UUID, str] = field(default_factory=dict)
    #: Records that do not open: altered, or their key is gone.
    unreadable: list[UUID] = field(default_factory=list)


def clean_person(
    raw: Mapping[str, Any], coded: Mapping[str, Sequence[Coded]] | None, live: Mapping[str, Attribute]
) -> Person:
    """Values and lists in their stored forms. Raises UnknownAttribute and BadValue, naming the attribute."""
    cleaned: dict[str, values.Value | None] = {}
    for key, value in raw.items():
        attribute = live.get(key)
        if attribute is None:
            raise UnknownAttribute(f'There is no attribute "{key}". Define it first, or leave it out.')
        try:
            cleaned[key] = None if value is None or value == "" else values.accept(attribute, value)
        except BadValue as problem:
            raise BadValue(f"{attribute.label}: {problem}") from None
    lists: dict[str, list[Coded]] = {}
    for key, entries in (coded or {}).items():
        attribute = live.get(key)
        if attribute is None or attribute.kind != "coded":
            raise UnknownAttribute(f'There is no coded list "{key}". Define it first, or leave it out.')
        if len(entries) > MAX_CODED:
            raise BadValue(f"{attribute.label}: more than {MAX_CODED:,} entries")
        try:
            lists[key] = [clean_coded(e.code, e.display, e.start, e.stop) for e in entries]
        except BadValue as problem:
            raise BadValue(f"{attribute.label}: {problem}") from None
    return Person(cleaned, lists)


def clean_coded(
    code: str, display: str = "", start: str | None = None, stop: str | None = None, *, day_first: bool = False
) -> Coded:
    """One entry of a coded list in its stored form. Raises BadValue."""
    if not code.strip():
        raise BadValue("an entry has no code")
    code = str(values.parse("text", code))
    if len(code) > 100:
        raise BadValue("a code is longer than 100 characters")
    display = str(values.parse("text", display)) if display.strip() else ""
    first = values.parse_date(start.strip(), day_first=day_first) if start and start.strip() else None
    last = values.parse_date(stop.strip(), day_first=day_first) if stop and stop.strip() else None
    if first and last and last < first:
        raise BadValue("an entry stops before it starts")
    return Coded(code, display, first, last)


def _announce(signal: Any, ids: list[UUID]) -> None:
    if ids:
        transaction.on_commit(lambda: signal.send(sender=Contact, ids=ids))


def _write_one(person: Person, known: persons.Known | None, by: By) -> Contact:
    """Merge, refuse what cannot be, write, record."""
    merged = persons.merge(known.record if known else Record(), person, fold=False)
    if not (merged.email or merged.external_id):
        raise NeedsIdentity("Give an email address or an external id, so that this person can be found again.")
    if known and merged == known.record:
        return Contact.objects.get(pk=known.row.id)
    if merged.external_id:
        holder = queries.by_external_id(merged.external_id)
        if holder and (known is None or holder != known.row.id):
            raise ExternalIdTaken(
                "Another contact already has this external id. Open that contact, or give another id."
            )
    try:
        with transaction.atomic():
            indexes = persons.index_of("email", merged.email), persons.index_of("external_id", merged.external_id)
            written = upsert.apply(upsert.Plan([upsert.Change(0, known, merged, *indexes)]))
    except IntegrityError:
        written = []
    if not written:
        raise ExternalIdTaken(TAKEN)
    contact = Contact.objects.get(pk=written[0].id)
    keys = sorted({*person.values, *person.coded})
    audit("contact.changed" if known else "contact.created", by=by, target=contact, subject=contact.pk, keys=keys)
    _announce(signals.contacts_changed, [contact.pk])
    return contact


@transaction.atomic
def create(*, values: Mapping[str, Any], coded: Mapping[str, Sequence[Coded]] | None = None, by: By) -> Contact:
    """Add one person. Raises BadValue, UnknownAttribute, NeedsIdentity, ExternalIdTaken."""
    return _write_one(clean_person(values, coded, queries.attributes()), None, by)


@transaction.atomic
def update(
    contact: Contact, *, values: Mapping[str, Any], coded: Mapping[str, Sequence[Coded]] | None = None, by: By
) -> Contact:
    """Change some values of one person: None clears, what is absent stays; a coded list is replaced.

    Where the address changes it waits for senders, so that nothing leaves to the old one once this commits.
    """
    person = clean_person(values, coded, queries.attributes())
    address = Contact.objects.values_list("email_index", flat=True).get(pk=contact.pk)
    moves = "email" in person.values and persons.moves(address, person.values["email"])
    if moves:
        locks.hold_exclusive([contact.pk])
    known = persons.known_of(Contact.objects.select_for_update().get(pk=contact.pk))
    if not moves and "email" in person.values and persons.moves(known.email_index, person.values["email"]):
        raise ChangedMeanwhile("Somebody else changed this person's address just now. Look at it, then save again.")
    return _write_one(person, known, by)


@transaction.atomic
def delete(contact: Contact, *, by: By) -> None:
    """Delete one person and with the row their data key: nothing sealed under it opens again, in any backup."""
    delete_many([contact.pk], by=by)


@transaction.atomic
def delete_many(ids: Iterable[UUID], *, by: By) -> int:
    """Delete people; how many there were. Suppression and the consent ledger stay (CAN-13). Waits for senders."""
    wanted = list(ids)
    locks.hold_exclusive(wanted)
    with connection.cursor() as cursor:
        # Rows are locked in the order everybody locks them in.
        cursor.execute("SELECT FROM contacts_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [wanted])
        cursor.execute("DELETE FROM contacts_contact WHERE id = ANY(%s) RETURNING id", [wanted])
        gone = [row[0] for row in cursor.fetchall()]
    if len(gone) == 1:
        audit("contact.deleted", by=by, target=Contact(pk=gone[0]), subject=gone[0])
    elif gone:
        audit("contacts.deleted", by=by, count=len(gone), ids=[str(i) for i in gone])
    _announce(signals.contacts_deleted, gone)
    return len(gone)


@transaction.atomic
def upsert_many(people: Sequence[Person], *, by: By, fold: bool = False) -> UpsertResult:
    """Add or change many people, set-wise; those that cannot be taken are refused one by one, the rest is written.

    `fold` adds the given entries of coded lists to those known instead of replacing the list.
    """
    live = queries.attributes()
    result = UpsertResult()
    clean: list[Person] = []
    places: list[int] = []
    for position, person in enumerate(people):
        try:
            clean.append(clean_person(person.values, person.coded, live))
            places.append(position)
        except (BadValue, UnknownAttribute) as problem:
            result.refused[position] = str(problem)
    marks = persons.marks_of(clean)
    held = upsert.hold(clean, marks)
    for _attempt in range(3):
        planned = upsert.plan(clean, marks, fold=fold, held=held)
        written = upsert.apply(planned)
        done = {item.position for item in written}
        for item in written:
            (result.changed if item.before else result.created).append(item.id)
            result.ids[places[item.position]] = item.id
        for position, contact_id in planned.unchanged.items():
            result.unchanged.append(contact_id)
            result.ids[places[position]] = contact_id
        result.refused.update({places[position]: reason for position, reason in planned.refused.items()})
        result.refused.update(dict.fromkeys((places[position] for position in planned.overtaken), BUSY))
        # Created by somebody else between our look and our insert: look again.
        lost = [change.position for change in planned.changes if change.position not in done]
        if not lost:
            break
        clean, places = [clean[i] for i in lost], [places[i] for i in lost]
        marks = persons.marks_of(clean)
    else:
        result.refused.update(dict.fromkeys(places, BUSY))
    touched = result.created + result.changed
    if touched:
        audit(
            "contacts.upserted", by=by, created=len(result.created), changed=len(result.changed),
            unchanged=len(result.unchanged), refused=len(result.refused),
        )  # fmt: skip
    _announce(signals.contacts_changed, touched)
    return result


@transaction.atomic
def set_values(people: Mapping[UUID, Mapping[str, Any]], *, by: By) -> SetResult:
    """Change single values of many known people, by id: None clears, what is absent stays. Four statements.

    Whoever's value does not fit, or whose record does not open, is left as they are; the others are written.
    """
    live = queries.attributes()
    result = SetResult()
    news: dict[UUID, Person] = {}
    for contact_id, given in people.items():
        try:
            if not set(IDENTITY).isdisjoint(given):
                raise BadValue("Addresses and external ids are changed one person at a time.")
            news[contact_id] = clean_person(given, None, live)
        except (BadValue, UnknownAttribute) as problem:
            result.refused[contact_id] = str(problem)
    planned = upsert.Plan()
    for contact in Contact.objects.select_for_update().filter(pk__among=news).order_by("pk"):
        try:
            known = persons.known_of(contact)
        except SealBroken:
            result.unreadable.append(contact.pk)
            continue
        record = persons.merge(known.record, news[contact.pk], fold=False)
        if record == known.record:
            result.unchanged.append(contact.pk)
            continue
        result.changed.append(contact.pk)
        planned.changes.append(
            upsert.Change(len(planned.changes), known, record, known.email_index, known.external_index)
        )
    if result.unreadable:
        damaged.found(result.unreadable)
    upsert.apply(planned)
    if result.changed:
        keys = sorted({key for pk in result.changed for key in news[pk].values})
        audit("contacts.values_set", by=by, changed=len(result.changed), refused=len(result.refused), keys=keys)
    _announce(signals.contacts_changed, result.changed)
    return result
