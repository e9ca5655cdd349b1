"""What the store says of everybody, and what their records say, in one plain form: two looks that must agree."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
from django.db import connection

from audit.models import Entry
from contacts import opening
from contacts.models import Contact, Kind
from contacts.records import Coded
from segments.columns import ALWAYS, NO_DAY, STILL, Column, Entries, Frame, Int, Words
from segments.models import Partition
from segments.store import reading, writing
from segments.store.part import SIZE
from tests.contacts.factories import make_people

#: A few attributes of every kind a deployment starts with.
KINDS: dict[str, str] = {
    "email": Kind.TEXT,
    "state": Kind.TEXT,
    "sex": Kind.CHOICE,
    "birth_date": Kind.DATE,
    "conditions": Kind.CODED,
    "visits": Kind.CODED,
}
Looked = dict[int, dict[str, Any]]


def by_store(kinds: Mapping[str, str] = KINDS, only: range | None = None) -> Looked:
    """By contact number what the store says, missing values left out."""
    return by_frames(reading.frames(kinds, ids=True, only=only))


def by_frames(frames: Iterable[Frame]) -> Looked:
    found: Looked = {}
    for frame in frames:
        rows = frame.present.nonzero()[0]
        columns = {key: _values(column, rows) for key, column in frame.columns.items()}
        lists = {key: _entries(held) for key, held in frame.entries.items()}
        for place, (row, number) in enumerate(zip(rows.tolist(), frame.numbers[rows].tolist(), strict=True)):
            assert number not in found, "somebody is there twice"
            said = {key: values[place] for key, values in columns.items() if values[place] is not None}
            found[number] = said | {key: held[row] for key, held in lists.items() if row in held}
    return found


def _values(column: Column, rows: Int) -> list[Any]:
    if isinstance(column, Words):
        words = [*column.words, None]
        return [words[place] for place in column.places[rows].tolist()]
    held = column.gather(rows.tolist()).to_list()
    if column.dtype == pl.Int32:
        return [None if day == NO_DAY else date(1970, 1, 1) + timedelta(day) for day in held]
    return [None if value in (None, "") or str(value) == "nan" else value for value in held]


def _entries(held: Entries) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for n, code in enumerate(held.codes):
        for place in range(int(held.bounds[n]), int(held.bounds[n + 1])):
            entry = (code, int(held.starts[place]), int(held.stops[place]))
            found.setdefault(int(held.rows[place]), []).append(entry)
    return {row: sorted(of_row) for row, of_row in found.items()}


def by_records(kinds: Mapping[str, str] = KINDS) -> Looked:
    """By contact number what the opened records say, looked at in plain Python."""
    return {
        number: {"id": contact_id.bytes}
        | {key: value for key, kind in kinds.items() if (value := _said(record.values.get(key), kind)) is not None}
        | {key: sorted(map(_entry, record.coded[key])) for key in kinds.keys() & record.coded.keys()}
        for people in opening.between(0, 2**62)
        for number, contact_id, record in people
    }


def _said(value: Any, kind: str) -> Any:
    if value is None or value == "":
        return None
    if kind == Kind.DATE:
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if kind == Kind.DATETIME else value


def _entry(entry: Coded) -> tuple[str, int, int]:
    return entry.code.upper(), _day(entry.start, ALWAYS), _day(entry.stop, STILL)


def _day(text: str | None, missing: int) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days if text else missing


# -- a world to look at ------------------------------------------------------------------------------------------------

DIABETES = Coded("E11.9", "Type 2 diabetes", "2019-01-01")
ASTHMA = Coded("j45.909", "Asthma", "2020-05-01", "2021-05-01")


def people(n: int = 30, **values: Any) -> list[UUID]:
    return make_people(
        n,
        **{
            "state": lambda i: ["MA", "NY", None, "CT"][i % 4],
            "sex": lambda i: ["female", "male", None][i % 3],
            "birth_date": lambda i: f"{1940 + i % 60}-02-28" if i % 5 else None,
            **values,
        },
        coded=lambda i: {"conditions": [DIABETES, ASTHMA][: i % 3]} if i % 3 else {},
    )


def written() -> list[Partition]:
    """The partitions somebody lives in, each written."""
    for number in sorted({number // SIZE for number in Contact.objects.values_list("number", flat=True)}):
        writing.write(number)
    return list(Partition.objects.order_by("number"))


def at_the_edge(before: int = 10) -> None:
    """The next contacts get the last numbers of a partition and then those of the next one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('contact_number', (last_value / %s + 1) * %s - %s) FROM contact_number",
            [SIZE, SIZE, before + 1],
        )


def rebuilt() -> list[str]:
    """Why partitions were made anew, as the trail tells it."""
    entries = Entry.objects.filter(action="segments.store_rebuilt").order_by("at")
    return [str(entry.details["reason"]) for entry in entries]
