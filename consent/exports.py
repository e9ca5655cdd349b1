"""Consents as of a date, a row for each person and topic. Streamed: memory does not grow with the number of people."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

import contacts.queries
from consent import queries
from consent.commands.addresses import hash_of
from consent.models import Act, Export, LedgerEntry, Topic
from consent.state import Row, facts, last_words

CHUNK = 1000
COLUMNS = (
    "contact_id",
    "external_id",
    "email",
    "suppressed_now",
    "topic_number",
    "topic",
    "state",
    "since",
    "ledger_entry",
    "source",
    "recorded_by_kind",
    "recorded_by",
    "double_opt_in",
    "given_on",
    "text_version",
    "text",
    "origin",
    "opted_out_of_everything",
    "address_confirmed_at",
    "special_consent_at",
    "authorization",
    "authorization_purposes",
    "authorization_expires_at",
)
_STATES = {
    Act.OPT_IN.value: "opted in",
    Act.OPT_OUT.value: "opted out",
    Act.OPT_OUT_ALL.value: "opted out of everything",
    Act.OPT_IN_VOIDED.value: "none",
}
#: What spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def people(as_of: datetime) -> Iterator[list[UUID]]:
    """Everybody who had said anything by then, a chunk at a time."""
    last = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT contact_id FROM consent_ledgerentry WHERE contact_id > %s AND at <= %s"
                " ORDER BY contact_id LIMIT %s",
                [last, as_of, CHUNK],
            )
            found = [row[0] for row in cursor.fetchall()]
        if not found:
            return
        yield found
        last = found[-1]


def rows(as_of: datetime) -> Iterator[dict[str, Any]]:
    """One row per person and topic they said something about, or one without a topic; removed topics too."""
    topics = {topic.pk: topic for topic in Topic.objects.all()}
    for ids in people(as_of):
        yield from _chunk(ids, as_of, topics)


def _chunk(ids: list[UUID], as_of: datetime, topics: dict[UUID, Topic]) -> Iterator[dict[str, Any]]:
    said: dict[UUID, list[Row]] = {}
    moments: dict[UUID, datetime] = {}
    plain = LedgerEntry.objects.filter(contact_id__in=ids, at__lte=as_of)
    for contact_id, key, number, act, topic_id, double, at in plain.values_list(
        "contact_id", "id", "number", "act", "topic_id", "double", "at"
    ):
        said.setdefault(contact_id, []).append(Row(key, number, act, topic_id, double))
        moments[key] = at
    words: dict[tuple[UUID, UUID | None], dict[str, Row]] = {}
    for contact_id, mine in said.items():
        about: list[UUID | None] = [*sorted({row.topic_id for row in mine if row.topic_id}, key=str)]
        for each in about or [None]:
            words[contact_id, each] = last_words(mine, each)
    deciding = {pair: _deciding(last) for pair, last in words.items()}
    entries = LedgerEntry.objects.in_bulk([row.id for row in deciding.values() if row])
    opened = contacts.queries.open_many(ids)
    hashes = {i: hash_of(record.email) for i, record in opened.items() if record.email}
    held = queries.suppressed(set(hashes.values()))
    signed = queries.facts_for(ids, None, as_of)
    for (contact_id, about_id), last in words.items():
        row, record = deciding[contact_id, about_id], opened.get(contact_id)
        found = facts(last, signed[contact_id].authorization)
        entry = entries[row.id] if row else None
        topic = topics[about_id] if about_id else None
        authorization = found.authorization
        yield {
            "contact_id": str(contact_id),
            "external_id": record.external_id if record else "",
            "email": record.email if record else "",
            "suppressed_now": held.get(hashes[contact_id], "") if contact_id in hashes else "",
            "topic_number": topic.number if topic else "",
            "topic": topic.name if topic else "",
            "state": _STATES.get(row.act, "none") if row else "none",
            "since": entry.at.isoformat() if entry else "",
            "ledger_entry": str(entry.pk) if entry else "",
            "source": entry.source if entry else "",
            "recorded_by_kind": entry.recorded_by_kind if entry else "",
            "recorded_by": entry.recorded_by if entry else "",
            "double_opt_in": bool(row and row.double),
            **{k: (entry.evidence.get(k, "") if entry else "") for k in ("given_on", "text_version", "text", "origin")},
            "opted_out_of_everything": found.opted_out_all,
            "address_confirmed_at": _at(moments, found.address_confirmed),
            "special_consent_at": _at(moments, found.special_consent),
            "authorization": str(authorization.id) if authorization else "",
            "authorization_purposes": " ".join(authorization.purposes) if authorization else "",
            "authorization_expires_at": (
                authorization.expires_at.isoformat() if authorization and authorization.expires_at else ""
            ),
        }


def _deciding(last: dict[str, Row]) -> Row | None:
    """The row that says whether somebody is in: the opt-out of everything where it stands, else the topic's own."""
    everything = last.get("everything")
    if facts(last).opted_out_all:
        return everything
    return last.get("topic") or everything


def _at(moments: dict[UUID, datetime], key: UUID | None) -> str:
    return moments[key].isoformat() if key in moments else ""


def neutral(value: Any) -> Any:
    """A cell no spreadsheet runs: text that begins like a formula gets an apostrophe before it."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else value


def as_csv(found: Iterator[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Text and the rows in it, header first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    held = 0
    for row in found:
        writer.writerow([neutral(row[column]) for column in COLUMNS])
        held += 1
        if held == CHUNK:
            yield buffer.getvalue(), held
            buffer.seek(0)
            buffer.truncate()
            held = 0
    yield buffer.getvalue(), held


def as_jsonl(found: Iterator[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    for row in found:
        yield json.dumps(row, ensure_ascii=False) + "\n", 1


def stream(export: Export, done: Callable[[int, str], object]) -> Iterator[bytes]:
    """The file; `done(rows, sha256)` is called when the last byte was handed over, and not before."""
    form = as_jsonl if export.format == Export.Format.JSONL else as_csv
    digest, count = hashlib.sha256(), 0
    for text, held in form(rows(export.as_of)):
        raw = text.encode()
        digest.update(raw)
        count += held
        yield raw
    done(count, digest.hexdigest())
