"""Many records opened at once, by contact number: for whoever reads everybody, a lot at a time."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from contacts.records import SCHEMA_VERSION, Record, decode
from contacts.seal import TABLE
from phi import seal

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


def _opened(where: str, params: list[Any]) -> list[Person]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_COLUMNS} WHERE {where}", params)
        rows = cursor.fetchall()
    sealed = [(row[2], row[3], row[4], seal.aad(TABLE, row[1].bytes, SCHEMA_VERSION)) for row in rows]
    with _uncollected():
        records = [decode(plain) for plain in seal.open_many(sealed)]
    return [(row[0], row[1], record) for row, record in zip(rows, records, strict=True)]


def numbered(numbers: Sequence[int]) -> list[Person]:
    """These people in order of their numbers, 8 µs each; whoever was deleted is simply absent."""
    return _opened("number = ANY(%s) ORDER BY number", [list(numbers)])


def between(first: int, stop: int, size: int = 8_192) -> Iterator[list[Person]]:
    """Everybody with a number from `first` on and below `stop`, in order, `size` people at a time."""
    while people := _opened("number >= %s AND number < %s ORDER BY number LIMIT %s", [first, stop, size]):
        yield people
        first = people[-1][0] + 1
