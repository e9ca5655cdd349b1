"""A block of people written to the database: sealed as contacts.upsert seals them, with what they said."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bench import people_columns

#: One in so many confirmed the address, left everything, has an address that bounced.
CONFIRMED, GONE, BOUNCED = 3, 300, 500
SHOWN = "Yes, send me these emails. I can stop them at any time with the link in every email."
_COLUMNS = "id, number, kek_id, data_key, sealed, email_index, external_index, created_at, updated_at"
_TYPES = ("uuid", "int8", "varchar", "bytea", "bytea", "bytea", "bytea", "timestamptz", "timestamptz")


@dataclass(frozen=True, slots=True)
class Work:
    """Block `number` of people_columns, `size` people; `first`: contact number of the very first person."""

    number: int
    size: int
    first: int
    topics: list[UUID]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Somebody who will leave a topic (None: everything), or whose mail bounced; with the hash that suppresses them."""

    contact_id: UUID
    topic_id: UUID | None
    address_hash: bytes
    reason: str = "unsubscribed"


def write(work: Work) -> list[Leaving]:
    """Write one block, all or nothing; of a block that is there already only say who will leave."""
    from django.db import connection, transaction

    from contacts.models import Contact
    from core import clock

    start = work.first + work.number * people_columns.BLOCK
    some = people_columns.block(work.number, work.size, today=clock.now().date())
    there = Contact.objects.filter(number__gte=start, number__lt=start + work.size).order_by("number")
    known = list(there.values_list("id", flat=True))
    moment = clock.now() - timedelta(days=380) + timedelta(minutes=work.number)
    said = some.topics.rows()
    leaving: list[Leaving] = []
    place = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        for records in people_columns.records(some):
            words = said[place : place + len(records)]
            if not known:
                rows = _rows(records, start + place, moment)
                with cursor.copy(f"COPY contacts_contact ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(_TYPES)
                    for row in rows:
                        copy.write_row(row)
                ids = [row[0] for row in rows]
                _say(rows, words, work.topics, moment)
            else:
                ids = known[place : place + len(records)]
            leaving += _leaving(ids, records, words, work.topics, start + place)
            place += len(records)
    return leaving


def _rows(records: list[Any], number: int, moment: datetime) -> list[tuple[Any, ...]]:
    from contacts.seal import seal_record
    from core.ids import uuid7
    from phi import blind, seal

    rows = []
    for place, record in enumerate(records):
        contact_id = uuid7()
        key, wrapped = seal.new_data_key()
        rows.append(
            (
                contact_id, number + place, wrapped.kek_id, wrapped.wrapped, seal_record(contact_id, record, key=key),
                blind.index("email", record.email) if record.email else None,
                blind.index("external_id", record.external_id), moment, moment,
            )
        )  # fmt: skip
    return rows


def _say(rows: list[tuple[Any, ...]], said: list[tuple[int, ...]], topics: list[UUID], moment: datetime) -> None:
    """Write who opted in to what and who confirmed the address."""
    from consent.ledger import NewAct, append_many
    from core import clock
    from core.actors import SYSTEM

    evidence = {"text": SHOWN}
    acts = []
    for row, words in zip(rows, said, strict=True):
        contact_id, number, email = row[0], row[1], row[5]
        acts += [
            NewAct(contact_id, "opt_in", "form", topic, evidence)
            for topic, word in zip(topics, words, strict=True)
            if word
        ]
        if email and number % CONFIRMED == 0:
            acts.append(NewAct(contact_id, "address_confirmed", "mail_link", address_index=email))
    with clock.set_to(moment + timedelta(days=5)):
        append_many(acts, by=SYSTEM)


def _leaving(
    ids: list[UUID], records: list[Any], said: list[tuple[int, ...]], topics: list[UUID], number: int
) -> list[Leaving]:
    from phi import blind

    found = []
    for place, (contact_id, record, words) in enumerate(zip(ids, records, said, strict=True), number):
        left: list[tuple[UUID | None, str]] = [
            (topic, "unsubscribed") for topic, word in zip(topics, words, strict=True) if word < 0
        ]
        if place % GONE == 1 or place % BOUNCED == 2:
            left.append((None, "unsubscribed" if place % GONE == 1 else "bounced"))
        if left and record.email:
            hashed = blind.index("suppression", record.email)
            found += [Leaving(contact_id, topic, hashed, reason) for topic, reason in left]
    return found
