"""Everybody as frames: partitions as they were written, with whoever changed since taken out and laid beside them.

The order of reading makes it right, without any lock: first the changes and their people, then the partitions. Whatever
commits in between is in the partitions, in the changes read, or will be in the next ones.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from django.db import connection

from contacts.models import Kind
from phi import seal
from phi.errors import KeyUnavailable, SealBroken
from phi.keyring import keyring
from segments.columns import Entries, Frame, Int, Mask, Words, of_people
from segments.store import files, rows, tables, writing
from segments.store.changes import Changed, changed_people
from segments.store.memory import memory
from segments.store.part import SIZE

#: How often a partition that is unreadable, or written meanwhile, is looked at again before giving up.
ATTEMPTS = 4
#: Partitions opened together: beyond memory's limit no more than these are ever held.
AT_ONCE = 32
_ENTRIES = ["row", "start", "stop"]
_ROWS = "rows"


@dataclass(frozen=True, slots=True)
class There:
    """Who a partition has, and what its writer noted."""

    numbers: Int
    present: Mask
    note: tables.Note


@dataclass(slots=True)
class Opened:
    """A partition as far as it was asked for. Units: _ROWS, tables.ID, tables.attribute, tables.coded, tables.codes."""

    head: rows.Head
    held: dict[str, Any] = field(default_factory=dict)


class _Stale(Exception):
    """The partition lacks an attribute that its people may have."""


class _Moved(Exception):
    """Somebody wrote the partition between two looks at it."""


def frames(kinds: Mapping[str, str], *, ids: bool = False, only: range | None = None) -> Iterator[Frame]:
    """A frame a partition (all, or those of `only`), then one of the people who changed since they were written.

    Raises KeyUnavailable where no key can be had: nothing is answered from memory then either.
    """
    keyring().current_kek()
    changed = changed_people(only)
    for opened in partitions(wanted_of(kinds, ids=ids), kinds, only):
        yield _frame(opened, kinds, changed, ids=ids)
    if changed.people:
        yield of_people(changed.people, kinds, ids=ids)


def _frame(opened: Opened, kinds: Mapping[str, str], changed: Changed, *, ids: bool) -> Frame:
    there: There = opened.held[_ROWS]
    columns = {key: opened.held[tables.attribute(key)] for key, kind in kinds.items() if kind != Kind.CODED}
    if ids:
        columns["id"] = opened.held[tables.ID]
    entries = {key: opened.held[tables.coded(key)] for key, kind in kinds.items() if kind == Kind.CODED}
    return Frame(there.numbers, left(opened, changed), columns, entries)


def left(opened: Opened, changed: Changed) -> Mask:
    """Who of a partition has not changed."""
    there: There = opened.held[_ROWS]
    first = opened.head.number * SIZE
    begin, end = np.searchsorted(changed.numbers, [first, first + len(there.present)])
    among = changed.numbers[begin:end]
    if len(among) == 0:
        return there.present
    present = there.present.copy()
    present[among - first] = False
    return present


# -- partitions --------------------------------------------------------------------------------------------------------


#: By unit the columns it is made of, by table.
Wanted = dict[str, dict[str, list[str]]]


def partitions(wanted: Wanted, kinds: Mapping[str, str], only: range | None) -> Iterator[Opened]:
    """All partitions, with what is asked of them; broken ones are made anew from the records first."""
    heads = rows.heads(only)
    if missing := _lost(heads, only):
        for number in missing:
            writing.rebuild(number, "missing", seen=b"")
        heads = rows.heads(only)
    numbers = list(heads)
    for start in range(0, len(numbers), AT_ONCE):
        yield from _opened({number: heads[number] for number in numbers[start : start + AT_ONCE]}, wanted, kinds)


def _opened(heads: dict[int, rows.Head], wanted: Wanted, kinds: Mapping[str, str]) -> list[Opened]:
    """These partitions, in order."""
    done: dict[int, Opened] = {}
    for _ in range(ATTEMPTS):
        _let_go(heads.values())
        opened = {number: Opened(head) for number, head in heads.items() if number not in done}
        problems = _fill(opened, wanted, kinds)
        done |= {number: found for number, found in opened.items() if number not in problems}
        if not problems:
            return [done[number] for number in sorted(done)]
        for number, problem in problems.items():
            _mend(opened[number].head, problem)
        news = rows.heads(range(min(heads), max(heads) + 1))
        heads = {number: news.get(number, head) for number, head in heads.items()}
    raise SealBroken("The column store could not be read, although it was made anew.")


def _mend(head: rows.Head, problem: Exception) -> None:
    match problem:
        case _Moved():
            pass
        case _Stale():
            writing.from_records(head.number, seen=head.key.wrapped)
        case _:
            writing.rebuild(head.number, "unreadable", seen=head.key.wrapped)


_LOST = """
SELECT DISTINCT c.number / %s FROM contacts_contact c
WHERE c.number >= %s AND c.number < %s AND NOT c.number / %s = ANY(%s)
AND NOT EXISTS (SELECT FROM segments_contactchange d WHERE d.number = c.number)
"""


def _lost(heads: Mapping[int, rows.Head], only: range | None) -> list[int]:
    """Partitions that somebody lives in who is not among the changes, and that are not there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(number) FROM contacts_contact")
        (last,) = cursor.fetchone()
        every = range(0 if last is None else last // SIZE + 1)
        absent = [number for number in every if number not in heads and (only is None or number in only)]
        if not absent:
            return []
        first, stop = absent[0] * SIZE, (absent[-1] + 1) * SIZE
        cursor.execute(_LOST, [SIZE, first, stop, SIZE, list(heads)])
        return sorted(row[0] for row in cursor.fetchall())


def wanted_of(kinds: Mapping[str, str], *, ids: bool) -> Wanted:
    wanted: Wanted = {_ROWS: {tables.PEOPLE: [tables.PRESENT]}}
    if ids:
        wanted[tables.ID] = {tables.PEOPLE: [tables.ID]}
    for key, kind in kinds.items():
        if kind == Kind.CODED:
            wanted[tables.coded(key)] = {tables.coded(key): _ENTRIES, tables.codes(key): ["code", "stop"]}
        else:
            wanted[tables.attribute(key)] = {tables.PEOPLE: [tables.attribute(key)]}
    return wanted


def _key(head: rows.Head, unit: str, kinds: Mapping[str, str]) -> tuple[str, int, bytes, str, str]:
    """Where a unit is kept. The data key is of one writing alone, as its generation is not: that may be undone."""
    return "partition", head.number, head.key.wrapped, unit, kinds.get(unit.partition(":")[2], "")


#: The writing of each partition that this process met last.
_met: dict[int, bytes] = {}


def _let_go(heads: Iterable[rows.Head]) -> None:
    """Drop what is kept of earlier writings: whoever was deleted since is not kept any longer."""
    news = {head.number: head.key.wrapped for head in heads if _met.get(head.number) != head.key.wrapped}
    if news:
        _met.update(news)
        memory.forget(
            lambda key: isinstance(key, tuple) and key[0] == "partition" and news.get(key[1], key[2]) != key[2]
        )


def _fill(partitions: Mapping[int, Opened], wanted: Wanted, kinds: Mapping[str, str]) -> dict[int, Exception]:
    """Take what is wanted from memory, fetch and open the rest. What went wrong, by partition."""
    absent: dict[str, dict[str, None]] = {}
    numbers = set()
    for number, opened in partitions.items():
        for unit, columns in wanted.items():
            if (found := memory.peek(_key(opened.head, unit, kinds))) is not None:
                opened.held[unit] = found
                continue
            numbers.add(number)
            for table, names in columns.items():
                absent.setdefault(table, {}).update(dict.fromkeys(names))
    problems: dict[int, Exception] = {}
    for number, files_of in _fetched({n: partitions[n].head for n in sorted(numbers)}, absent).items():
        try:
            _take(partitions[number], {t: future.result() for t, future in files_of.items()}, wanted, kinds)
        except (SealBroken, KeyUnavailable, _Stale, _Moved) as problem:
            problems[number] = problem
    return problems


Opening = Future[Any]


@cache
def _pool() -> ThreadPoolExecutor:
    """Decryption and decoding let go of the interpreter, so every core helps; made where first needed."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="store")


def _fetched(
    heads: Mapping[int, rows.Head], columns: Mapping[str, Iterable[str]]
) -> dict[int, dict[str, "Future[Any]"]]:
    """By partition and table the columns, opened beside the fetching of the next ones."""
    found: dict[int, dict[str, Opening]] = {number: {} for number in heads}
    if heads:
        for file in rows.slices(list(heads), columns):
            found[file.partition][file.table] = _pool().submit(_open, heads[file.partition], file)
    return found


def _open(head: rows.Head, file: rows.Fetched) -> Any:
    if file.data_key != head.key.wrapped:
        raise _Moved
    table = files.read(file.slices, seal.unwrap(head.key), sorted(file.columns))
    writing.check(tables.note_of(table), head.number, head.generation, file.table)
    return table


def _take(opened: Opened, found: Mapping[str, Any], wanted: Wanted, kinds: Mapping[str, str]) -> None:
    """Make units of tables, and keep them."""
    for unit in wanted:
        if unit in opened.held:
            continue
        value = _rows(opened.head, found) if unit == _ROWS else _unit(unit, kinds, found, opened.held[_ROWS])
        opened.held[unit] = value
        memory.put(_key(opened.head, unit, kinds), value, _size(value))


def _rows(head: rows.Head, found: Mapping[str, Any]) -> There:
    people = found.get(tables.PEOPLE)
    present = _column(tables.flags, people)
    first = head.number * SIZE
    numbers = np.arange(first, first + len(present), dtype=np.uint32)
    return There(numbers, present, tables.note_of(people))


def _unit(unit: str, kinds: Mapping[str, str], found: Mapping[str, Any], there: There) -> Any:
    people = found.get(tables.PEOPLE)
    if unit == tables.ID:
        return _column(tables.ids, people)
    form, key = unit.split(":", 1)
    kind = kinds[key]
    if there.note.kinds.get(key) != kind:
        if key in there.note.known:
            raise _Stale
        return tables.nothing(form, kind, len(there.present))
    match form:
        case "coded":
            return _column(tables.entries, found.get(tables.coded(key)), found.get(tables.codes(key)))
        case "codes":
            return _column(tables.counted, found.get(unit))
        case _:
            return _column(tables.column, people, key)


def _column(make: Any, *given: Any) -> Any:
    """Raises SealBroken where a file or a column is not there."""
    if given[0] is None or given[-1] is None:
        raise SealBroken("A file of the column store is missing.")
    try:
        return make(*given)
    except KeyError:
        raise SealBroken("A file of the column store does not have a column it should have.") from None


def _size(value: Any) -> int:
    """Bytes, about."""
    match value:
        case There():
            return int(value.numbers.nbytes + value.present.nbytes)
        case Words():
            return int(value.places.nbytes) + int(value.words.estimated_size())
        case Entries():
            return int(value.rows.nbytes) * 3 + 80 * len(value.codes)
        case pl.Series():
            return int(value.estimated_size())
        case list():
            return 200 * len(value)
    raise AssertionError(value)
