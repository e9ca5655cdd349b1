"""Which partitions to write, and whether what is written is still what the records say."""

from django.db import connection, transaction

from phi import seal
from phi.errors import SealBroken
from segments.store import files, rows, tables, writing
from segments.store.part import SIZE

#: A partition is written once so many of its contacts have changed …
MANY = 1_000
#: … or once changes times the seconds since it was written come to this: one waits an hour, a hundred 10 minutes.
WAITED = 60_000
LONGEST = 3_600  # seconds

#: At once where somebody was deleted: what they were must not stay behind (KEY-06).
_DUE = """
SELECT d.number / %(size)s AS partition
FROM segments_contactchange d
LEFT JOIN contacts_contact c ON c.number = d.number
LEFT JOIN segments_partition p ON p.number = d.number / %(size)s
GROUP BY 1, p.written_at
HAVING bool_or(c.id IS NULL) OR count(*) >= %(many)s OR p.written_at IS NULL
  OR count(*) * extract(epoch FROM now() - p.written_at) >= %(waited)s
  OR extract(epoch FROM now() - p.written_at) >= %(longest)s
ORDER BY bool_or(c.id IS NULL) DESC, count(*) DESC
"""


def due() -> list[int]:
    """Partitions to write now, those of deleted people first."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"size": SIZE, "many": MANY, "waited": WAITED, "longest": LONGEST})
        return [row[0] for row in cursor.fetchall()]


def look(number: int) -> None:
    """Hold a partition against its records: make it anew where it is not what they say, or lacks an attribute.

    This finds what no key can tell: an older state of the database's own files put back whole. Raises KeyUnavailable.
    """
    if (head := rows.head(number)) is None:
        return
    try:
        note = _note(head)
    except SealBroken:
        writing.rebuild(number, "unreadable", seen=head.key.wrapped)
        return
    if not writing.covers(note, writing.attributes()[0]):
        writing.from_records(number, seen=head.key.wrapped)
    elif _outdated(number, note):
        with transaction.atomic():
            rows.lock(number)
            if _outdated(number, note):
                writing.rebuild(number, "outdated", seen=head.key.wrapped)


def _note(head: rows.Head) -> tables.Note:
    for file in rows.slices([head.number], {tables.PEOPLE: [tables.PRESENT]}):
        if file.data_key == head.key.wrapped:
            note = tables.note_of(files.read(file.slices, seal.unwrap(head.key), [tables.PRESENT]))
            writing.check(note, head.number, head.generation, tables.PEOPLE)
            return note
    raise SealBroken("A file of the column store is missing.")


def _outdated(number: int, note: tables.Note) -> bool:
    """Whether the records are others than those it was made from, though no change is waiting to be taken in."""
    first, stop = number * SIZE, (number + 1) * SIZE
    state = rows.state(first, stop)  # before the changes: whatever commits in between is one
    return state != note.state and not rows.changes(first, stop)[0]
