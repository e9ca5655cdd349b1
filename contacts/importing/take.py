"""One chunk of an import: say what it would do, or do it with everything that follows from it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from contacts import chunks, mapping, queries, signals, upsert
from contacts.chunks import Box
from contacts.csvfile import Row
from contacts.errors import BadFile
from contacts.importing import keys, samples, undo
from contacts.models import Attribute, Contact, Import, Kind
from core import clock
from core.actors import Actor

#: SND-04: share of known external ids whose address may change without anybody looking.
TRIPWIRE = 0.01


class Tripped(Exception):
    """So many addresses would change that a person must look first; nothing of this chunk is written."""


class TryAgain(Exception):
    """Somebody else wrote one of these people just now; the chunk is taken again."""


def take(owner: Import) -> None:
    """The next chunk of a locked import: a dry run while CHECKING, for good while RUNNING."""
    box, position, live = Box(owner), owner.next_position, queries.attributes()
    write, coded = owner.state == Import.State.RUNNING, owner.shape == Import.Shape.CODED
    _still_fits(owner, live)
    batch = _as_checked(box, position) if write else _check(owner, box, position, live)

    held = upsert.hold(batch.people, batch.marks, everybody=bool(owner.consent)) if write else None
    planned = upsert.plan(batch.people, batch.marks, fold=coded, create=not coded, held=held, first=True)
    if planned.overtaken:
        raise TryAgain
    for person, reason in planned.refused.items():
        batch.refused.update(dict.fromkeys(batch.places[person], reason))
    owner.known_count += planned.known_by_external_id
    owner.address_changes += sum(change.address_changes for change in planned.changes)
    if write:
        if trips(owner):
            raise Tripped
        written = upsert.apply(planned)
        if len(written) < len(planned.changes):
            raise TryAgain
        _settle(owner, box, planned, written)

    if coded:
        keys.count_each_once(owner, planned, batch)
    else:
        created = sum(change.known is None for change in planned.changes)
        owner.created_count += created
        owner.changed_count += len(planned.changes) - created
        owner.unchanged_count += len(planned.unchanged)
    samples.note(owner, batch, planned, live)
    if batch.refused:
        rows = box.take_list(chunks.ROWS, position, Row)
        refused = [[rows[place].line, why, rows[place].cells] for place, why in sorted(batch.refused.items())]
        box.put_list(chunks.REFUSED, position, refused)
    owner.refused_count += len(batch.refused)
    owner.rows_done += batch.rows
    owner.next_position += 1
    owner.save()


def _check(owner: Import, box: Box, position: int, live: dict[str, Attribute]) -> mapping.Batch:
    """The rows of a chunk as people, kept for the import, so that it writes what the dry run showed."""
    rows = box.take_list(chunks.ROWS, position, Row)
    columns, day_first = owner.mapping["columns"], bool(owner.mapping.get("day_first"))
    owner.problems = {"meanings": mapping.meanings(columns, live), **owner.problems}
    if owner.shape == Import.Shape.CODED:
        assert owner.coded_attribute  # _still_fits
        batch = mapping.coded_of(rows, columns, owner.coded_attribute, live["external_id"], day_first=day_first)
    else:
        batch = mapping.people_of(rows, columns, live, day_first=day_first)
        keys.refuse_repeated(owner, batch)
    box.put_list(chunks.PEOPLE, position, [batch])
    return batch


def _as_checked(box: Box, position: int) -> mapping.Batch:
    found: list[mapping.Batch] = box.take_list(chunks.PEOPLE, position, mapping.Batch)
    if not found:  # begun by an older version
        raise BadFile("What the dry run understood is not kept. Undo what is in, and upload the file again.")
    return found[0]


def trips(owner: Import) -> bool:
    """Whether more than 1 % of the known external ids change their address and nobody has looked.

    During a run the base is what the dry run counted, so that one early row cannot stop a million.
    """
    base = max(owner.known_count, int(owner.problems.get("known", 0)))
    return owner.tripwire_released_by is None and owner.address_changes > base * TRIPWIRE


def by_whom(owner: Import) -> Actor:
    """Who stands behind the import: whoever started it, else whoever uploaded it."""
    return Actor("staff", str(owner.started_by or owner.created_by))


def announce(signal: Any, ids: Iterable[UUID]) -> None:
    """Send ids when the transaction commits."""
    if news := list(ids):
        transaction.on_commit(lambda: signal.send(sender=Contact, ids=news))


def _still_fits(owner: Import, live: dict[str, Attribute]) -> None:
    """Raises BadFile where what the file is mapped to is gone."""
    if owner.shape == Import.Shape.PEOPLE:
        if any(key and (key not in live or live[key].kind == Kind.CODED) for key in owner.mapping["columns"]):
            raise BadFile("An attribute this file is mapped to was removed meanwhile. Map the columns again.")
    elif owner.coded_attribute is None or owner.coded_attribute.removed_at:
        raise BadFile("The coded list this file goes into was removed meanwhile. Map the columns again.")


_TOUCH = "COPY contacts_importtouch (owner_id, contact_id, created, at) FROM STDIN (FORMAT BINARY)"


def _touch(owner: Import, written: list[upsert.Written]) -> None:
    """For the timelines of these people, in one statement."""
    moment = clock.now()
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(_TOUCH) as copy:
        copy.set_types(("uuid", "uuid", "bool", "timestamptz"))
        for item in written:
            copy.write_row((owner.pk, item.id, item.before is None, moment))


def _settle(owner: Import, box: Box, planned: upsert.Plan, written: list[upsert.Written]) -> None:
    """What follows from writing: the way back, the timeline, the consent that was stated, the news."""
    if written:
        box.put_list(chunks.UNDO, owner.next_position, [undo.remember(item) for item in written])
        _touch(owner, written)
    created = [item.id for item in written if item.before is None]
    changed = [item.id for item in written if item.before is not None]
    if owner.consent:
        signals.people_imported.send(
            sender=Import,
            import_id=owner.pk,
            created_ids=created,
            matched_ids=[*changed, *planned.unchanged.values()],
            consent=owner.consent,
            by=by_whom(owner),
        )
    announce(signals.contacts_changed, [*created, *changed])
