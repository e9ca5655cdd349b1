"""Add and change many people at once: one read, a pure merge, one COPY, one update; no row through the ORM.

Who is meant: the external id says; without one the address says, if exactly one person has it. An external id nobody
has makes a new person even where the address is known, because a family may share an address (docs/adr/0020).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from contacts import damaged, locks
from contacts.persons import Known, Marks, Person, merge, moves_to
from contacts.records import Record
from contacts.seal import SealedRow, key_of, open_record, seal_record
from core import clock
from core.ids import uuid7
from phi import seal
from phi.errors import SealBroken

#: pg_advisory_xact_lock: held while people are told apart by address alone, which no unique index can guard.
ADDRESS_LOCK = 0x0CA11  # any constant
UNREADABLE = "the contact this is about cannot be read: have its record restored, or delete it first"


@dataclass(slots=True)
class Change:
    """What is to be written for one person of the list: a new one (`known` None) or another record for a known one."""

    position: int
    known: Known | None
    record: Record
    email_index: bytes | None
    external_index: bytes | None

    @property
    def address_changes(self) -> bool:
        return bool(self.known and self.known.record.email and self.known.record.email != self.record.email)


@dataclass(slots=True)
class Plan:
    """The answer to "what would happen": each position of the list is in exactly one of these."""

    changes: list[Change] = field(default_factory=list)
    #: position -> the known person
    unchanged: dict[int, UUID] = field(default_factory=dict)
    #: position -> why not
    refused: dict[int, str] = field(default_factory=dict)
    #: Somebody else wrote these people after their locks were taken, and what is held does not cover them any more.
    overtaken: list[int] = field(default_factory=list)
    #: How many were found by external id: the base of the tripwire (SND-04).
    known_by_external_id: int = 0


@dataclass(slots=True)
class Written:
    """One row as it was before and what it is now, both still sealed under the person's own key."""

    id: UUID
    position: int
    #: None: created.
    before: Known | None
    digest: bytes


def digest_of(sealed: bytes) -> bytes:
    """Recognises a sealed record; any later writing of the row gives another one."""
    return sha256(sealed).digest()


@dataclass(frozen=True, slots=True)
class Held:
    """The locks a writer took before locking rows (contacts.locks): on those whose address changes, or on all, too."""

    alone: frozenset[UUID] = frozenset()
    #: None: the others are not held.
    shared: frozenset[UUID] | None = None
    #: Blind indexes of the external ids that somebody had when the locks were taken.
    externals: frozenset[bytes] = frozenset()

    def covers(self, known: Known, email_index: bytes | None) -> bool:
        if known.row.id in self.alone:
            return True
        if self.shared is not None and known.row.id not in self.shared:
            return False
        return not moves_to(known.email_index, email_index)


#: Blind indexes go to the server as one value, a tenth of the work of a list of them.
_EACH = "SELECT substring(%s::bytea FROM 32 * i + 1 FOR 32) FROM generate_series(0, %s - 1) AS i"
_WHO = f"WHERE external_index = ANY(ARRAY({_EACH})) OR email_index = ANY(ARRAY({_EACH}))"


def _who(externals: Iterable[bytes | None], emails: Iterable[bytes | None]) -> list[Any]:
    """Parameters of _WHO."""
    params: list[Any] = []
    for indexes in (externals, emails):
        whole = b"".join(filter(None, indexes))
        params += [whole, len(whole) // 32]
    return params


def _alone(marks: Marks) -> list[bytes | None]:
    """The addresses of those who give no external id: the only people an address tells apart."""
    return [None if e else m for e, m in zip(marks.externals, marks.emails, strict=True)]


def hold(people: Sequence[Person], marks: Marks, *, everybody: bool = False) -> Held:
    """Take the locks that writing these people needs, in one pass and before any row is locked.

    `everybody`: those whose address stays, too, because something is said about them in the same transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, external_index, email_index FROM contacts_contact {_WHO}",  # noqa: S608  two constants
            _who(marks.externals, _alone(marks) if everybody else []),
        )
        rows = cursor.fetchall()
    given: dict[bytes, set[bytes | None]] = {}
    if rows:
        for external, email, person in zip(marks.externals, marks.emails, people, strict=True):
            if external and "email" in person.values:
                given.setdefault(external, set()).add(email)
    alone = frozenset(row[0] for row in rows if any(moves_to(row[2], index) for index in given.get(row[1], ())))
    others = frozenset(row[0] for row in rows) - alone if everybody else None
    locks.hold(shared=others or (), exclusive=alone)
    return Held(alone, others, frozenset(row[1] for row in rows if row[1]))


_READ = f"SELECT id, kek_id, data_key, sealed, email_index, external_index FROM contacts_contact {_WHO} ORDER BY id"  # noqa: S608  two constants


def _read(
    externals: Sequence[bytes | None], emails: Sequence[bytes | None], *, lock: bool
) -> tuple[list[Known], set[bytes]]:
    """Those known by these, and the indexes of whoever's record does not open: nobody else is held up by it."""
    if not (any(externals) or any(emails)):
        return [], set()
    with connection.cursor() as cursor:
        if lock and any(emails):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADDRESS_LOCK])
        cursor.execute(f"{_READ} FOR UPDATE" if lock else _READ, _who(externals, emails))
        rows = cursor.fetchall()
    known: list[Known] = []
    broken: list[Any] = []
    for row in rows:
        sealed = SealedRow(*row[:4])
        try:
            key = key_of(sealed)
            known.append(Known(sealed, key, open_record(sealed, key=key), row[4], row[5]))
        except SealBroken:
            broken.append(row)
    if broken:
        damaged.found([row[0] for row in broken])
    return known, {bytes(index) for row in broken for index in row[4:6] if index}


def plan(  # noqa: PLR0912  one case per answer
    people: Sequence[Person],
    marks: Marks,
    *,
    fold: bool = False,
    create: bool = True,
    held: Held | None = None,
    first: bool = False,
) -> Plan:
    """Say what writing these people would do. Reads once; writes nothing. `held` keeps the rows until commit.

    `first`: take those whom `held` did not see for new ones unread. Somebody else who adds one meanwhile is noticed
    when `apply` writes.
    """
    wanted: Sequence[bytes | None] = marks.externals
    if first and held:
        wanted = [external for external in wanted if external in held.externals]
    by_address = _alone(marks)
    known, unreadable = _read(wanted, by_address, lock=held is not None)
    by_external = {bytes(item.external_index): item for item in known if item.external_index}
    by_email: dict[bytes, list[Known]] = {}
    for item in known:
        if item.email_index:
            by_email.setdefault(bytes(item.email_index), []).append(item)

    result = Plan()
    seen: set[bytes] = set()
    for position, (person, external, email) in enumerate(zip(people, marks.externals, marks.emails, strict=True)):
        identity = external or email
        if identity is None:
            result.refused[position] = "has neither an external id nor an email address"
            continue
        if identity in seen:
            result.refused[position] = (
                "the same external id stands twice"
                if external
                else "the same email address stands twice, without external ids"
            )
            continue
        seen.add(identity)
        if identity in unreadable:
            result.refused[position] = UNREADABLE
            continue
        found: Known | None
        if external:
            found = by_external.get(external)
            result.known_by_external_id += found is not None
        else:
            matches = by_email.get(identity, [])
            if len(matches) > 1:
                result.refused[position] = "several people have this email address: give their external ids"
                continue
            found = matches[0] if matches else None
        if found is None and not create:
            result.refused[position] = "nobody has this external id"
            continue
        record = merge(found.record if found else Record(), person, fold=fold)
        if found is None:
            result.changes.append(Change(position, None, record, email, external))
            continue
        email_index = found.email_index if record.email == found.record.email else email
        if held is not None and not held.covers(found, email_index):
            result.overtaken.append(position)
        elif record == found.record:
            result.unchanged[position] = found.row.id
        elif not (record.external_id or record.email):
            result.refused[position] = "would be left with neither an external id nor an email address"
        else:
            external_index = external if "external_id" in person.values else found.external_index
            result.changes.append(Change(position, found, record, email_index, external_index))
    return result


def apply(planned: Plan) -> list[Written]:
    """Write the changes of a plan made with `held`: one UPDATE and one COPY, whatever their number.

    If somebody else created one of the new people in between, no new person is in the answer; plan those again.
    """
    moment = clock.now()
    updates: list[tuple[object, ...]] = []
    inserts: list[tuple[object, ...]] = []
    written: list[Written] = []
    keys = iter(seal.new_data_keys(sum(change.known is None for change in planned.changes)))
    for change in planned.changes:
        known, indexes = change.known, (change.email_index, change.external_index)
        if known:
            contact_id = known.row.id
            sealed = seal_record(contact_id, change.record, key=known.key)
            updates.append((contact_id, sealed, *indexes))
        else:
            contact_id, (key, wrapped) = uuid7(), next(keys)
            sealed = seal_record(contact_id, change.record, key=key)
            inserts.append((contact_id, *wrapped, sealed, *indexes, moment, moment))
        written.append(Written(contact_id, change.position, known, digest_of(sealed)))
    with connection.cursor() as cursor:
        if updates:
            cursor.execute(
                "UPDATE contacts_contact c SET sealed = n.sealed, email_index = n.email_index,"
                " external_index = n.external_index, updated_at = %s"
                " FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[])"
                " AS n(id, sealed, email_index, external_index) WHERE c.id = n.id",
                [moment, *map(list, zip(*updates, strict=True))],
            )
    if inserts and not _copy_in(inserts):
        written = [item for item in written if item.before]
    return written


_COLUMNS = ("id", "kek_id", "data_key", "sealed", "email_index", "external_index", "created_at", "updated_at")
_TYPES = ("uuid", "varchar", "bytea", "bytea", "bytea", "bytea", "timestamptz", "timestamptz")
_COPY = f"COPY contacts_contact ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"


def _copy_in(rows: list[tuple[object, ...]]) -> bool:
    """Add rows by COPY, all or none; False if one of them is there already."""
    try:
        with (
            transaction.atomic(),
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(_COPY) as copy,
        ):
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)
    except IntegrityError:
        return False
    return True
