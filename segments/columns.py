"""People as typed columns: the form in which rules see them. Pure.

A frame is a lot of people, one row a contact number: a partition of the store, or whoever changed since it was written.
Rows nobody lives in (numbers never given, people deleted or changed meanwhile) are not `present` and match no rule.

Column types: text and choice `Words`, or a String series where nearly every value is its own (email) · number Float64 ·
date Date · date-time Datetime(us, UTC) · yes/no Boolean · coded list `Entries`. A value without its type is missing.
A number may also be missing as NaN, and dates may be Int32 days since 1970 with NO_DAY for a missing one: series
without nulls are looked at in place, several times faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import groupby
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl

from contacts.models import Kind
from contacts.records import Record

Mask = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.integer[Any]]

TYPES: dict[str, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.CHOICE: pl.String(),
    Kind.NUMBER: pl.Float64(),
    Kind.DATE: pl.Date(),
    Kind.DATETIME: pl.Datetime("us", "UTC"),
    Kind.BOOLEAN: pl.Boolean(),
}
#: Days since 1970 of an entry without a start (it always was) and without a stop (it still is).
ALWAYS, STILL = -(2**31), 2**31 - 1
#: Stands for a missing day; no day is as early.
NO_DAY = -(2**31)


def folded(texts: pl.Series) -> pl.Series:
    """Texts as they are compared: compatibility forms made one (NFKC), letters small."""
    ascii_only = bool((texts.str.len_bytes() == texts.str.len_chars()).all())
    return (texts if ascii_only else texts.str.normalize("NFKC")).str.to_lowercase()


#: Comparing is quicker than looking up, so many times over; and so many words are gone through before Polars begins.
COMPARED, FEW = 4, 256


@dataclass(frozen=True)
class Words:
    """Texts as places in a list of distinct ones; the place `len(words)` stands for a missing value."""

    places: Int
    words: pl.Series

    @cached_property
    def folded(self) -> pl.Series:
        """The distinct words as texts are compared."""
        return folded(self.words)

    def where(self, found: pl.Series) -> Mask:
        """The rows whose word was found; `found` has one Boolean a word (null: not found)."""
        # As Python's numbers: NumPy's would widen the places to compare.
        return self.at(np.flatnonzero(found.fill_null(value=False).to_numpy()).tolist())

    def at(self, found: list[int]) -> Mask:
        """The rows whose word is at one of these places among the distinct ones."""
        if len(found) == 0:
            return np.zeros(len(self.places), dtype=np.bool_)
        if len(found) == len(self.words):
            return ~self.missing
        if len(found) <= COMPARED:
            held: Mask = self.places == found[0]
            for place in found[1:]:
                held |= self.places == place
            return held
        flags = np.zeros(len(self.words) + 1, dtype=np.bool_)
        flags[found] = True
        return flags.take(self.places)

    @cached_property
    def few(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Words and folded words for Python to go through, where that is quicker than to ask Polars."""
        if len(self.words) > FEW:
            return None
        words = tuple(self.words.to_list())
        plain = all(word.isascii() for word in words)
        return words, tuple(word.lower() for word in words) if plain else tuple(self.folded.to_list())

    @property
    def missing(self) -> Mask:
        gone: Mask = self.places == len(self.words)
        return gone


@dataclass(frozen=True, slots=True)
class Entries:
    """A coded list of all rows of a frame, ordered by code: entries of `codes[n]` are `bounds[n]:bounds[n + 1]`."""

    codes: tuple[str, ...]  # distinct, upper case, in order
    bounds: Int  # len(codes) + 1
    rows: Int
    starts: Int  # days since 1970, or ALWAYS
    stops: Int  # days since 1970, or STILL


Column = pl.Series | Words


def between(values: Int, low: int | Int, high: int | Int) -> Mask:
    """Both ends included."""
    found: Mask = (values >= low) & (values <= high)
    return found


@dataclass(frozen=True, slots=True)
class Frame:
    """`numbers`, `present` and every column have one place a row. "id" (16 bytes) is a column where asked for."""

    numbers: Int
    present: Mask
    columns: Mapping[str, Column] = field(default_factory=dict)
    entries: Mapping[str, Entries] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A set of contact numbers, one place a number from 0 on; numbers beyond its end are not in it."""

    flags: Mask

    @classmethod
    def of(cls, numbers: Sequence[int] | Int) -> "Numbers":
        found = np.asarray(numbers, dtype=np.int64)
        flags = np.zeros(int(found.max()) + 1 if len(found) else 0, dtype=np.bool_)
        flags[found] = True
        return cls(flags)

    def among(self, numbers: Int) -> Mask:
        """For each of these numbers whether it is in the set."""
        if len(numbers) == 0 or len(self.flags) == 0:
            return np.zeros(len(numbers), dtype=np.bool_)
        first, last = int(numbers[0]), int(numbers[-1])
        in_a_row = last - first + 1 == len(numbers) and bool((numbers[1:] > numbers[:-1]).all())
        if in_a_row and last < len(self.flags):  # a partition: a slice will do
            return self.flags[first : last + 1]
        known = numbers < len(self.flags)
        return known & self.flags[np.where(known, numbers, 0)]


Person = tuple[int, UUID, Record]


def of_people(people: Sequence[Person], kinds: Mapping[str, str], *, ids: bool = False) -> Frame:
    """A frame of opened records, one row each in the given order; one column per attribute key of `kinds`."""
    records = [record for _, _, record in people]
    columns: dict[str, Column] = {}
    if ids:
        columns["id"] = pl.Series("id", [i.bytes for _, i, _ in people], dtype=pl.Binary)
    columns |= {key: scalar(kind, records, key) for key, kind in kinds.items() if kind != Kind.CODED}
    coded = {key: entries(records, key) for key, kind in kinds.items() if kind == Kind.CODED}
    numbers = np.array([number for number, _, _ in people], dtype=np.int64)
    return Frame(numbers, np.ones(len(people), dtype=np.bool_), columns, coded)


def scalar(kind: str, records: Sequence[Record], key: str) -> Column:
    """One attribute of these records as a column of its kind."""
    raw = [record.values.get(key) for record in records]
    if kind == Kind.NUMBER:
        typed: list[Any] = [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None for v in raw]
        return pl.Series(key, typed, dtype=pl.Float64).fill_null(float("nan"))
    stored = bool if kind == Kind.BOOLEAN else str
    typed = [v if isinstance(v, stored) else None for v in raw]
    if kind == Kind.DATE:
        return pl.Series(key, typed, dtype=pl.String).str.to_date("%Y-%m-%d", strict=False)
    if kind == Kind.DATETIME:
        moments = pl.Series(key, typed, dtype=pl.String)
        return moments.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    if kind == Kind.BOOLEAN:
        return pl.Series(key, typed, dtype=pl.Boolean)
    return words(pl.Series(key, typed, dtype=pl.String))


def words(texts: pl.Series) -> Words:
    """Texts by their distinct words; empty text counts as missing."""
    held = texts.set(texts == "", None)
    distinct = held.drop_nulls().unique().sort()
    places = distinct.search_sorted(held.fill_null("")).to_numpy().astype(np.uint32)
    places[held.is_null().to_numpy()] = len(distinct)
    return Words(places, distinct)


def entries(records: Sequence[Record], key: str) -> Entries:
    """One coded list of these records. An entry whose start or stop is no date has none."""
    found = sorted(
        (entry.code.upper(), row, _day(entry.start, ALWAYS), _day(entry.stop, STILL))
        for row, record in enumerate(records)
        for entry in record.coded.get(key, ())
    )
    runs = [(code, sum(1 for _ in run)) for code, run in groupby(entry[0] for entry in found)]
    bounds = np.concatenate([[0], np.cumsum([length for _, length in runs])]).astype(np.int64)
    table = np.array([entry[1:] for entry in found], dtype=np.int32).reshape(-1, 3)
    return Entries(tuple(code for code, _ in runs), bounds, table[:, 0], table[:, 1], table[:, 2])


_EPOCH = date(1970, 1, 1).toordinal()


def _day(text: str | None, missing: int) -> int:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH if text else missing
    except ValueError:
        return missing
