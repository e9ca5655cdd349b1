"""A partition as Arrow tables, and the columns of a frame out of them. Pure.

"people": one row a number: present, id, and a column an attribute.
"coded:KEY": one row an entry of that list, ordered by code and row: row, start, stop, name.
"codes:KEY": one row a code of that list: code, stop (where its entries end), people, name.
Attributes' columns are named "a:KEY", so that no attribute can take the place of another column.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from contacts.models import Kind
from phi.errors import SealBroken
from segments.columns import TYPES, Column, Entries, Words
from segments.store.part import Listed, Part

PEOPLE = "people"
PRESENT, ID = "present", "id"
_NOTE = b"carillon"


@dataclass(frozen=True, slots=True)
class Note:
    """What stands in the encrypted footer of each file: what it is, and of which writing."""

    partition: int
    generation: int
    table: str
    #: Attributes there are columns or lists of, and their kinds.
    kinds: dict[str, str]
    #: Attributes that had ever been defined when it was written: any other one nobody in it can have.
    known: list[str]
    #: segments.store.writing.state of the records it was made from.
    state: str


def noted(table: pa.Table, note: Note) -> pa.Table:
    fields = {name: getattr(note, name) for name in Note.__slots__}
    return table.replace_schema_metadata({_NOTE: json.dumps(fields).encode()})


def note_of(table: pa.Table) -> Note:
    """Raises SealBroken where a file of ours has none."""
    try:
        return Note(**json.loads(table.schema.metadata[_NOTE]))
    except (KeyError, TypeError, ValueError):
        raise SealBroken("A file of the column store does not say what it is.") from None


def attribute(key: str) -> str:
    """The column of an attribute."""
    return f"a:{key}"


def coded(key: str) -> str:
    return f"coded:{key}"


def codes(key: str) -> str:
    return f"codes:{key}"


# -- to Arrow ----------------------------------------------------------------------------------------------------------


def of_part(part: Part) -> Iterator[tuple[str, pa.Table]]:
    """Every table of a partition by name."""
    people: dict[str, Any] = {PRESENT: pa.array(part.present), ID: _ids(part.ids)}
    for key, column in part.columns.items():
        people[attribute(key)] = _dictionary(column) if isinstance(column, Words) else _plain(column)
    yield PEOPLE, _table(people)
    for key, listed in part.listed.items():
        yield coded(key), _entries(listed)
        yield codes(key), _codes(listed)


def _table(columns: dict[str, Any]) -> pa.Table:
    """Columns without nulls are said to have none: they are read without looking for any."""
    fields = [pa.field(name, held.type, nullable=held.null_count > 0) for name, held in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def _ids(ids: pl.Series) -> pa.Array:
    return pa.array(ids.to_list(), pa.binary(16))


def _dictionary(words: Words) -> pa.DictionaryArray:
    """The missing value is the empty word, which no word is: so there are no nulls to be told apart."""
    places = pa.array(words.places.astype(np.int32))
    return pa.DictionaryArray.from_arrays(places, pa.array([*words.words, ""], pa.string()))


def _plain(column: pl.Series) -> pa.Array:
    array = column.to_arrow()
    return array.cast(pa.string()) if column.dtype == pl.String else array


def _entries(listed: Listed) -> pa.Table:
    entries = listed.entries
    columns = {"row": entries.rows, "start": entries.starts, "stop": entries.stops}
    return _table({**{name: pa.array(held) for name, held in columns.items()}, "name": _dictionary(listed.names)})


def _codes(listed: Listed) -> pa.Table:
    entries = listed.entries
    return _table(
        {
            "code": pa.array(entries.codes, pa.string()),
            "stop": pa.array(entries.bounds[1:]),
            "people": pa.array(people_with(entries)),
            "name": pa.array(_usual_names(listed), pa.string()),
        }
    )


def people_with(entries: Entries, among: Any = None) -> Any:
    """How many people have each code; `among` (one flag a row) leaves out whoever it is false of."""
    place = np.repeat(np.arange(len(entries.codes)), np.diff(entries.bounds))
    first = np.ones(len(place), dtype=np.bool_)  # a person's entries of one code stand side by side
    first[1:] = (place[1:] != place[:-1]) | (entries.rows[1:] != entries.rows[:-1])
    if among is not None:
        first &= among[entries.rows]
    return np.bincount(place[first], minlength=len(entries.codes))


def _usual_names(listed: Listed) -> list[str]:
    """What most entries of a code call it; "" where none calls it anything."""
    entries, names = listed.entries, listed.names
    place = np.repeat(np.arange(len(entries.codes)), np.diff(entries.bounds))
    count = len(names.words) + 1
    pairs, often = np.unique((place * count + names.places)[~names.missing], return_counts=True)
    usual = [""] * len(entries.codes)
    for pair in pairs[np.lexsort((-pairs, often))].tolist():  # the most frequent one last
        usual[pair // count] = names.words[pair % count]
    return usual


# -- from Arrow --------------------------------------------------------------------------------------------------------


def flags(table: pa.Table) -> Any:
    """Who is there."""
    return _single(table, PRESENT).to_numpy(zero_copy_only=False)


def ids(table: pa.Table) -> pl.Series:
    found = pl.from_arrow(_single(table, ID))
    assert isinstance(found, pl.Series)
    return found.alias("id")


def column(table: pa.Table, key: str) -> Column:
    """One attribute, its texts as places where they were written so."""
    array = _single(table, attribute(key))
    if pa.types.is_dictionary(array.type):
        return _words(array)
    if array.null_count == 0 and pa.types.is_primitive(array.type) and not pa.types.is_temporal(array.type):
        return pl.Series(key, array.to_numpy(zero_copy_only=False))
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series.alias(key)


def _words(array: Any) -> Words:
    # Polars takes a short list sooner than it looks through what Arrow hands over.
    words = pl.Series(array.dictionary[:-1].to_pylist(), dtype=pl.String)
    # As narrow as will do: a quarter of the memory, and of the time to look through it.
    return Words(array.indices.to_numpy().astype(np.min_scalar_type(len(words)), copy=False), words)


def entries(table: pa.Table, codes: pa.Table) -> Entries:
    """A coded list out of both of its tables."""
    rows, starts, stops = (_single(table, name).to_numpy() for name in ("row", "start", "stop"))
    bounds = np.concatenate([[0], _single(codes, "stop").to_numpy()])
    if bounds[-1] != len(rows):
        raise SealBroken("A coded list of the column store does not belong to its codes.")
    return Entries(tuple(_single(codes, "code").to_pylist()), bounds, rows, starts, stops)


class Code(NamedTuple):
    """A code that occurs in a coded list, what it is called there ("": nothing), and how many people have it."""

    code: str
    display: str
    people: int


COUNTED = ["code", "name", "people"]


def counted(table: pa.Table) -> list[Code]:
    """The codes of a list."""
    return list(map(Code, *(_single(table, name).to_pylist() for name in COUNTED)))


def nothing(form: str, kind: str, size: int) -> Column | Entries | list[Code]:
    """What stands for an attribute that nobody had when the partition was written, for there was no such attribute."""
    if form == "codes":
        return []
    if form == "coded":
        none = np.zeros(0, dtype=np.int32)
        return Entries((), np.zeros(1, dtype=np.int64), none, none, none)
    if kind in (Kind.TEXT, Kind.CHOICE):
        return Words(np.zeros(size, dtype=np.int32), pl.Series([], dtype=pl.String))
    return pl.Series([None], dtype=TYPES[Kind(kind)]).new_from_index(0, size)


def part(number: int, kinds: dict[str, str], found: dict[str, pa.Table]) -> Part:
    """A whole partition again."""
    people = found[PEOPLE]
    lists = {key: (found[coded(key)], found[codes(key)]) for key, kind in kinds.items() if kind == Kind.CODED}
    return Part(
        number,
        flags(people),
        ids(people),
        kinds,
        {key: column(people, key) for key, kind in kinds.items() if kind != Kind.CODED},
        {
            key: Listed(entries(found[coded(key)], found[codes(key)]), _words(_single(found[coded(key)], "name")))
            for key in lists
        },
    )


def _single(table: pa.Table, name: str) -> Any:
    """A column as one array."""
    chunks = table.column(name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
