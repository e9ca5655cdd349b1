"""The people of one partition as columns, and how changed people are laid over them. Pure.

Row r of partition p is contact number p * SIZE + r, up to the highest number there is. Rows nobody lives in are not
`present` and hold nothing: neither a value nor, in the lists of distinct words, a word that only they had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from contacts.models import Kind
from contacts.records import Record
from segments.columns import ALWAYS, NO_DAY, STILL, Column, Entries, Int, Mask, Person, Words, of_people

#: Contact numbers of a partition.
SIZE = 65_536
#: A text of so many distinct values by people who have one is kept value by value, no longer as places in a list.
NEARLY_UNIQUE = 0.5


@dataclass(frozen=True, slots=True)
class Listed:
    """A coded list of a partition, with what each entry is called ("" is the place past the last name)."""

    entries: Entries
    names: Words


@dataclass(frozen=True, slots=True)
class Part:
    """A partition. `kinds` says which attributes there are columns of, and of which kind."""

    number: int
    present: Mask
    ids: pl.Series
    kinds: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    listed: Mapping[str, Listed] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.present)


def empty(number: int) -> Part:
    """A partition nobody lives in yet."""
    return Part(number, np.zeros(0, dtype=np.bool_), pl.Series("id", [], dtype=pl.Binary))


def laid_over(part: Part, touched: Int, people: Sequence[Person], kinds: Mapping[str, str]) -> Part:
    """The partition with all `touched` numbers emptied and `people` in their places; columns are those of `kinds`.

    An attribute the partition has no column of is taken to be missing in everybody else.
    """
    first = part.number * SIZE
    scalars = {key: kind for key, kind in kinds.items() if kind != Kind.CODED}
    fresh = of_people(people, scalars, ids=True)
    rows = fresh.numbers - first
    gone = np.asarray(touched, dtype=np.int64) - first
    size = max(len(part), int(rows.max()) + 1 if len(rows) else 0)
    source = _sources(len(part), size, gone, rows)
    present = np.zeros(size, dtype=np.bool_)
    present[: len(part)] = part.present
    present[gone[gone < size]] = False
    present[rows] = True
    columns = {
        key: _scalar(part.columns.get(key), _plain(fresh.columns[key], kind), source, len(part), _NOTHING.get(kind))
        for key, kind in scalars.items()
    }
    records = [record for _, _, record in people]
    listed = {
        key: _merged(part.listed.get(key), _listed(records, key, rows), gone, size)
        for key, kind in kinds.items()
        if kind == Kind.CODED
    }
    ids = fresh.columns["id"]
    assert isinstance(ids, pl.Series)
    return Part(part.number, present, _gathered(part.ids, ids, source), dict(kinds), columns, listed)


def _sources(before: int, size: int, gone: Int, rows: Int) -> Int:
    """For each row its place in: the rows there were, one place of nothing, the fresh people."""
    source = np.full(size, before, dtype=np.int64)
    source[:before] = np.arange(before)
    source[gone[gone < size]] = before
    source[rows] = before + 1 + np.arange(len(rows))
    return source


#: What stands for a missing value, by kind; null where nothing is said. Series without nulls are looked at in place.
_NOTHING: dict[str, Any] = {Kind.NUMBER: float("nan"), Kind.DATE: NO_DAY}


def _plain(column: Column, kind: str) -> Column:
    """Days as numbers, for the kinds of _NOTHING without nulls."""
    if isinstance(column, Words) or kind not in _NOTHING:
        return column
    days = column.to_physical() if column.dtype == pl.Date else column
    return days.fill_null(_NOTHING[kind])


def _gathered(before: pl.Series, fresh: pl.Series, source: Int, nothing: Any = None) -> pl.Series:
    """`source` as in _sources."""
    missing = pl.Series(fresh.name, [nothing], dtype=fresh.dtype)
    return pl.concat([before.alias(fresh.name), missing, fresh], rechunk=True).gather(
        pl.Series(source, dtype=pl.UInt32)
    )


def _scalar(before: Column | None, fresh: Column, source: Int, size: int, nothing: Any) -> Column:
    if isinstance(fresh, pl.Series):
        missing = pl.Series(fresh.name, [nothing], dtype=fresh.dtype).new_from_index(0, size)
        return _gathered(before if isinstance(before, pl.Series) else missing, fresh, source, nothing)
    if isinstance(before, pl.Series):
        return _texts(_gathered(before, fresh.words.gather(_nullable(fresh)), source))
    return _compact(_joined(before or _no_words(size), fresh, source))


def _nullable(words: Words) -> pl.Series:
    places = pl.Series(words.places, dtype=pl.UInt32)
    return places.set(pl.Series(words.missing), None)


def _no_words(size: int) -> Words:
    return Words(np.zeros(size, dtype=np.uint32), pl.Series([], dtype=pl.String))


def _joined(before: Words, fresh: Words, source: Int) -> Words:
    """Both over one list of words; `source` as in `_sources`."""
    words = pl.concat([before.words, fresh.words]).unique().sort()
    nothing = len(words)
    places = np.concatenate([
        _moved(before, words)[before.places],
        np.array([nothing], dtype=np.uint32),
        _moved(fresh, words)[fresh.places],
    ])  # fmt: skip
    return Words(places[source], words)


def _moved(old: Words, words: pl.Series) -> npt.NDArray[np.uint32]:
    """Where each word of `old`, and its missing value, stands in `words`."""
    found = words.search_sorted(old.words).to_numpy() if len(old.words) else np.zeros(0)
    return np.append(found, len(words)).astype(np.uint32)


def _compact(held: Words) -> Column:
    """Without words nobody has; value by value where nearly everybody has their own."""
    count = np.bincount(held.places, minlength=len(held.words) + 1)
    if len(held.words) > NEARLY_UNIQUE * (len(held.places) - count[-1]) and len(held.words) > 1_000:
        return held.words.gather(_nullable(held))
    return _used(held, count)


def _used(held: Words, count: Int) -> Words:
    used = count[:-1] > 0
    if used.all():
        return held
    new = np.append(np.cumsum(used) - 1, used.sum()).astype(np.uint32)
    return Words(new[held.places], held.words.filter(pl.Series(used)))


def _texts(held: pl.Series) -> Column:
    """Back to a list of words where few are left."""
    distinct = held.n_unique()
    if distinct > NEARLY_UNIQUE / 2 * (len(held) - held.null_count()) and distinct > 1_000:
        return held
    words = held.drop_nulls().unique().sort()
    places = words.search_sorted(held.fill_null("")).to_numpy().astype(np.uint32)
    places[held.is_null().to_numpy()] = len(words)
    return Words(places, words)


# -- coded lists -------------------------------------------------------------------------------------------------------


def _listed(records: Sequence[Record], key: str, rows: Int) -> Listed:
    """One coded list of these records, which live in these rows."""
    codes: dict[str, int] = {}
    names: dict[str, int] = {}
    days: dict[str | None, int] = {None: _NO_DAY}
    table: list[int] = []
    for record, row in zip(records, rows.tolist(), strict=True):
        for entry in record.coded.get(key, ()):
            start, stop = entry.start, entry.stop
            table += (
                codes.setdefault(entry.code, len(codes)),
                row,
                days[start] if start in days else days.setdefault(start, _day(start)),
                days[stop] if stop in days else days.setdefault(stop, _day(stop)),
                names.setdefault(entry.display, len(names)),
            )
    raw = np.array(table, dtype=np.int64).reshape(-1, 5)
    starts = np.where(raw[:, 2] == _NO_DAY, ALWAYS, raw[:, 2])
    stops = np.where(raw[:, 3] == _NO_DAY, STILL, raw[:, 3])
    upper, place = _ordered([code.upper() for code in codes])
    called, name = _ordered(list(names), nothing="")
    held = np.stack([raw[:, 1], starts, stops])
    return _sorted(upper, place[raw[:, 0]].astype(np.int64), held, Words(name[raw[:, 4]], called))


#: No day that a record can hold.
_NO_DAY = -(2**40)


_EPOCH = date(1970, 1, 1).toordinal()


def _day(text: str | None) -> int:
    """Days since 1970; _NO_DAY for what is no day."""
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH if text else _NO_DAY
    except ValueError:
        return _NO_DAY


def _ordered(texts: list[str], nothing: str | None = None) -> tuple[pl.Series, npt.NDArray[np.uint32]]:
    """Distinct texts in order, and the place of each given one; `nothing` gets the place past the last."""
    distinct = pl.Series([text for text in texts if text != nothing], dtype=pl.String).unique().sort()
    at = {text: place for place, text in enumerate(distinct)}
    return distinct, np.array([at.get(text, len(distinct)) for text in texts], dtype=np.uint32)


def _sorted(codes: pl.Series, place: Int, table: Int, names: Words) -> Listed:
    """Entries (`table`: row, start, stop) ordered by code and row; codes and names without entries fall out."""
    # Nearly in order already where few entries came in: then a stable sort is little more than a look.
    order = np.argsort(place * SIZE + table[0], kind="stable")
    count = np.bincount(place, minlength=len(codes))
    bounds = np.concatenate([[0], np.cumsum(count[count > 0])]).astype(np.int64)
    rows, starts, stops = table[:, order].astype(np.int32)
    entries = Entries(tuple(codes.filter(pl.Series(count > 0))), bounds, rows, starts, stops)
    named = Words(names.places[order], names.words)
    return Listed(entries, _used(named, np.bincount(named.places, minlength=len(named.words) + 1)))


def _merged(before: Listed | None, fresh: Listed, gone: Int, size: int) -> Listed:
    if before is None:
        return fresh
    old, new = before.entries, fresh.entries
    emptied = np.zeros(size, dtype=np.bool_)
    emptied[gone[gone < size]] = True
    stays = ~emptied[old.rows]
    codes = pl.Series([*old.codes, *new.codes], dtype=pl.String).unique().sort()
    names = pl.concat([before.names.words, fresh.names.words]).unique().sort()
    return _sorted(
        codes,
        np.concatenate([_places(old, codes)[stays], _places(new, codes)]),
        np.concatenate([_table(old)[:, stays], _table(new)], axis=1),
        Words(
            np.concatenate([
                _moved(before.names, names)[before.names.places][stays],
                _moved(fresh.names, names)[fresh.names.places],
            ]),
            names,
        ),
    )  # fmt: skip


def _table(entries: Entries) -> Int:
    return np.stack([entries.rows, entries.starts, entries.stops])


def _places(entries: Entries, codes: pl.Series) -> Int:
    """The place of each entry's code in `codes`."""
    if not entries.codes:
        return np.zeros(0, dtype=np.int64)
    at = codes.search_sorted(pl.Series(entries.codes, dtype=pl.String)).to_numpy().astype(np.int64)
    return np.repeat(at, np.diff(entries.bounds))
