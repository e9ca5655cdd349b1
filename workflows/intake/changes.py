"""What changed about people, from the notes that a trigger leaves while journeys run (ContactChange)."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from contacts.records import Record
from contacts.seal import SealedRow, key_of, open_record
from phi.errors import SealBroken
from workflows import happenings
from workflows.enrolling import Entry
from workflows.happenings import New
from workflows.intake import dates, homes
from workflows.intake.matching import let_in
from workflows.intake.reading import heard
from workflows.intake.waking import wake
from workflows.language.definition import ByDate
from workflows.watched import ZONE, Kind, Version, Watched

log = logging.getLogger(__name__)

#: Notes of one transaction of ours, but that all of one person's stay together.
SIZE = 5_000

# One snapshot: the record is as the last of these notes left it. Somebody's notes have their ids in the order of their
# changes, for the row is locked while one is written.
_TAKE = """
WITH gone AS (
    DELETE FROM workflows_contactchange WHERE contact_id IN (
        SELECT contact_id FROM (SELECT contact_id FROM workflows_contactchange ORDER BY id LIMIT %s) first)
    RETURNING id, contact_id, before, gone, at
)
SELECT g.contact_id, g.before, g.gone, g.at, c.kek_id, c.data_key, c.sealed
FROM gone g LEFT JOIN contacts_contact c ON c.id = g.contact_id ORDER BY g.contact_id, g.id
"""


class _Note(NamedTuple):
    contact_id: UUID
    before: bytes | None
    gone: bool
    at: datetime
    kek_id: str | None
    data_key: bytes | None
    sealed: bytes | None


@dataclass(slots=True)
class _News:
    """What comes of notes."""

    happened: list[New] = field(default_factory=list)
    woken: defaultdict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    #: Whose date's moment has passed where they are now.
    passed: defaultdict[UUID, list[Entry]] = field(default_factory=lambda: defaultdict(list))


@transaction.atomic
def changes(_: Watched) -> bool:
    """Keep what changed of what journeys ask about, and wake whom it moves. True: there is more to read."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [SIZE])
        notes = [_Note(*row) for row in cursor.fetchall()]
    if not notes:
        return False
    watched = heard(hold=True)
    keys = sorted({*watched.attributes, *watched.moved_by} | ({ZONE} if watched.dated else set()))
    by_person: defaultdict[UUID, list[_Note]] = defaultdict(list)
    for note in notes:
        by_person[note.contact_id].append(note)
    everywhere = {version.id for version in watched.versions}
    news = _News()
    for contact_id, theirs in by_person.items():
        if theirs[-1].sealed is None:
            news.woken[contact_id] |= everywhere
        elif keys:
            _compare(theirs, keys, watched, news)
    happenings.write(news.happened)
    wake(news.woken)
    for version in watched.dated:
        let_in(version, homes.once(version, news.passed[version.id]))
    return len(notes) >= SIZE


def _compare(theirs: Sequence[_Note], keys: Sequence[str], watched: Watched, news: _News) -> None:
    """What each of a person's notes says, the oldest first."""
    contact_id = theirs[0].contact_id
    row = SealedRow(contact_id, theirs[-1].kek_id or "", theirs[-1].data_key or b"", theirs[-1].sealed or b"")
    try:
        key = key_of(row)
        blobs = [note.before for note in theirs] + [row.sealed]
        records = [open_record(row._replace(sealed=bytes(b)), key=key) if b else Record() for b in blobs]
    except SealBroken:
        log.warning("what changed about contact %s cannot be read", contact_id)
        return
    for note, before, after in zip(theirs, records, records[1:], strict=False):
        for name in keys:
            was, now = value_of(before, name), value_of(after, name)
            if was == now:
                continue
            if name in watched.moved_by:
                news.woken[contact_id] |= watched.moved_by[name]
            if name in watched.attributes:
                said = happenings.sealed(contact_id, {"was": was, "is": now}, key=key)
                about = watched.attributes[name]
                news.happened.append(New(Kind.ATTRIBUTE, about, contact_id, note.at, sealed=said))
            if name == ZONE and note.before is not None:
                _moved_zone(watched.dated, contact_id, before, after, note.at, news)


def _moved_zone(  # noqa: PLR0917  two states of one person
    dated: Sequence[Version], contact_id: UUID, before: Record, after: Record, at: datetime, news: _News
) -> None:
    for version in dated:
        trigger = version.definition.trigger
        assert isinstance(trigger, ByDate)
        entry = dates.passed_by(trigger, contact_id, before, after, at)
        if entry is not None:
            news.passed[version.id].append(entry)


def value_of(record: Record, key: str) -> Any:
    """The value as it is stored; of a coded list its codes; None: there is none."""
    if key in record.coded:
        return sorted({entry.code for entry in record.coded[key]})
    return record.values.get(key)


def forget_unheard() -> None:
    """Notes left from when the last journey ran are of no use to anybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM workflows_contactchange WHERE NOT EXISTS"
            " (SELECT FROM workflows_workflow WHERE state IN ('ACTIVE', 'PAUSED'))"
        )
