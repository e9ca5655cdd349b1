"""Partitions written: what they hold already, and the people that changed since, laid over it.

One transaction: the partition's lock, which changes there are, their people, new files under a new data key, and
exactly those changes taken away. Killed at any moment, it leaves the old partition and all changes.
"""

from collections.abc import Mapping

import numpy as np
from django.db import transaction

from audit.commands import record as audit
from contacts import opening
from contacts.models import Attribute
from core.actors import SYSTEM
from phi import seal
from phi.errors import KeyUnavailable, SealBroken
from segments.store import files, rows, tables
from segments.store.part import SIZE, Part, empty, laid_over

#: More changes than these, and all are read anew, a lot at a time: it takes no longer, and less memory.
MOST = 16_384


@transaction.atomic
def write(number: int) -> None:
    """Take the changes of a partition into it. From the records where it cannot be trusted, or lacks an attribute."""
    rows.lock(number)
    head = rows.head(number)
    if head is None:
        _write(number, None)
        return
    if not rows.changes(number * SIZE, (number + 1) * SIZE)[0]:
        return
    try:
        old = opened(head)
    except (SealBroken, KeyUnavailable):
        _write(number, None, head)
        _tell(number, "unreadable")
    else:
        _write(number, old, head)


@transaction.atomic
def rebuild(number: int, reason: str, *, seen: bytes | None = None) -> None:
    """Write a partition anew from the records, and say so in the trail; nothing it held is trusted.

    With `seen` (the wrapped data key it had, b"" for no partition) only if nobody wrote it since.
    """
    rows.lock(number)
    head = rows.head(number)
    if seen is not None and (head.key.wrapped if head else b"") != seen:
        return
    _write(number, None, head)
    _tell(number, reason)


@transaction.atomic
def from_records(number: int, *, seen: bytes | None = None) -> None:
    """Write a partition anew from the records, because it lacks an attribute: nothing is wrong with it.

    With `seen` as in `rebuild`.
    """
    rows.lock(number)
    head = rows.head(number)
    if seen is None or (head is not None and head.key.wrapped == seen):
        _write(number, None, head)


def _tell(number: int, reason: str) -> None:
    audit("segments.store_rebuilt", by=SYSTEM, partition=number, reason=reason)


def check(note: tables.Note, partition: int, generation: int, table: str) -> None:
    """Raises SealBroken where a file is not the one it stands for."""
    if (note.partition, note.generation, note.table) != (partition, generation, table):
        raise SealBroken("A file of the column store is not the one that belongs there.")


def opened(head: rows.Head) -> "tuple[Part, tables.Note]":
    key = seal.unwrap(head.key)
    found = {}
    for table, data in rows.whole_files(head.number).items():
        found[table] = files.read(data, key)
        check(tables.note_of(found[table]), head.number, head.generation, table)
    try:
        note = tables.note_of(found[tables.PEOPLE])
        return tables.part(head.number, note.kinds, found), note
    except KeyError:
        raise SealBroken("A file of the column store is missing.") from None


def _write(number: int, old: "tuple[Part, tables.Note] | None", head: rows.Head | None = None) -> None:
    first, stop = number * SIZE, (number + 1) * SIZE
    ids, numbers = rows.changes(first, stop)
    # After the changes were read: a change with an attribute that is defined later still is among the changes left.
    kinds, known = attributes()
    touched = np.unique(np.array(numbers, dtype=np.int64))
    if old is not None and len(touched) <= MOST and covers(old[1], kinds):
        part = laid_over(old[0], touched, opening.readable(touched.tolist()), kinds)
    else:
        part = empty(number)
        for people in opening.between(first, stop):
            part = laid_over(part, np.zeros(0, dtype=np.int64), people, kinds)
        if not len(part):
            part = laid_over(part, np.zeros(0, dtype=np.int64), [], kinds)
    _put(part, (head.generation if head else 0) + 1, known)
    rows.forget_changes(ids)


def attributes() -> tuple[dict[str, str], list[str]]:
    """The kinds of the attributes in use, and every attribute there ever was."""
    every = list(Attribute.objects.values_list("key", "kind", "removed_at"))
    return {key: kind for key, kind, removed_at in every if removed_at is None}, sorted(key for key, _, _ in every)


def covers(note: tables.Note, kinds: Mapping[str, str]) -> bool:
    """Whether the partition holds all these attributes: each is a column, or was unknown when it was made."""
    return all(note.kinds.get(key) == kind or key not in note.known for key, kind in kinds.items())


def _put(part: Part, generation: int, known: list[str]) -> None:
    first = part.number * SIZE
    state = rows.state(first, first + SIZE)
    key, wrapped = seal.new_data_key()
    written = {}
    for name, table in tables.of_part(part):
        note = tables.Note(part.number, generation, name, dict(part.kinds), known, state)
        written[name] = files.write(tables.noted(table, note), key)
    rows.put(rows.Head(part.number, generation, wrapped, int(part.present.sum())), written)
