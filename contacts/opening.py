"""Many records opened at once, by contact number: for whoever reads everybody, a lot at a time."""

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from contacts import damaged
from contacts.records import SCHEMA_VERSION, Record, decode
from contacts.seal import TABLE
from phi import seal
from phi.errors import SealBroken

log = logging.getLogger(__name__)

Person = tuple[int, UUID, Record]
_COLUMNS = "SELECT number, id, kek_id, data_key, sealed FROM contacts_contact"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Decoding makes nothing but objects that stay: to look for garbage among them costs more than to decode."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _rows(where: str, params: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_COLUMNS} WHERE {where}", params)
        rows: list[Any] = cursor.fetchall()
        return rows


def _opened(rows: Sequence[Any]) -> list[Person]:
    sealed = [(row[2], row[3], row[4], seal.aad(TABLE, row[1].bytes, SCHEMA_VERSION)) for row in rows]
    with _uncollected():
        records = [decode(plain) for plain in seal.open_many(sealed)]
    return [(row[0], row[1], record) for row, record in zip(rows, records, strict=True)]


def _readable(rows: Sequence[Any]) -> list[Person]:
    broken: list[UUID] = []
    people = _halved(rows, broken)
    if broken:
        damaged.found(broken)
    return people


def _halved(rows: Sequence[Any], broken: list[UUID]) -> list[Person]:
    try:
        return _opened(rows)
    except SealBroken:
        if len(rows) == 1:
            log.critical("the record of contact %s does not open", rows[0][1])
            broken.append(rows[0][1])
            return []
    half = len(rows) // 2
    return _halved(rows[:half], broken) + _halved(rows[half:], broken)


_NUMBERED = "number = ANY(%s) ORDER BY number"


def numbered(numbers: Sequence[int]) -> list[Person]:
    """These people in order of their numbers, 8 µs each; whoever was deleted is simply absent. Raises SealBroken."""
    return _opened(_rows(_NUMBERED, [list(numbers)]))


def readable(numbers: Sequence[int]) -> list[Person]:
    """The same, without those whose record was altered: they hold up nobody else, and no rule matches them."""
    return _readable(_rows(_NUMBERED, [list(numbers)]))


def between(first: int, stop: int, size: int = 8_192) -> Iterator[list[Person]]:
    """Everybody readable with a number from `first` on and below `stop`, in order, at most `size` people at a time."""
    while rows := _rows("number >= %s AND number < %s ORDER BY number LIMIT %s", [first, stop, size]):
        yield _readable(rows)
        first = rows[-1][0] + 1
