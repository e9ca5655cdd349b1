"""Made-up people in columns, as many as asked for and the same for everybody who asks: for benches and seed-million.

They come in blocks of 65,536, each from its own seed, so that any process can make any of them and nobody holds all.
Nobody of them exists, every address is one that cannot; how often things occur together is about what a health plan
sees: mammograms from 40 on, Medicare from 65 on, metformin with diabetes, an A1c where somebody measured it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bench import people_words as w
from contacts.records import Coded, Record

BLOCK = 65_536
TODAY = date(2026, 11, 1)
_EPOCH = date(1970, 1, 1).toordinal()
#: Attributes beyond those every deployment starts with: key, label, kind, sensitivity, choices.
ATTRIBUTES: tuple[tuple[str, str, str, str, list[str]], ...] = (
    ("plan", "Insurance plan", "choice", "phi", list(w.PLANS)),
    ("provider", "Provider", "text", "phi", []),
    ("last_visit_at", "Last visit", "datetime", "phi", []),
    ("a1c", "Hemoglobin A1c", "number", "phi", []),
    ("smoker", "Smoker", "boolean", "phi", []),
    ("procedures", "Procedures", "coded", "phi", []),
)
#: Every attribute these people have, by kind.
KINDS = {
    **dict.fromkeys(("email", "external_id", "first_name", "last_name", "phone", "street", "city", "state"), "text"),
    **dict.fromkeys(("zip", "time_zone", "language", "provider"), "text"),
    **{"sex": "choice", "plan": "choice", "birth_date": "date", "last_visit_at": "datetime"},
    **{"a1c": "number", "smoker": "boolean"},
    **dict.fromkeys(("conditions", "medications", "procedures", "visits"), "coded"),
}
#: By topic the share that opted in, and of those the share that opted out again.
TOPICS = ((0.62, 0.04), (0.35, 0.05), (0.28, 0.08), (0.20, 0.03), (0.10, 0.02))

Ints = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Some people: number `first` and those after it.

    `table` has one row a person and a column an attribute (words as Enum or String, Date, Datetime(us, UTC)).
    `coded` has one row an entry: person (number), code, name, start, stop; ordered by person.
    `topics` has one row a person and the columns topic_0 … topic_4: 1 opted in, -1 in and out again, 0 said nothing.
    """

    first: int
    table: pl.DataFrame
    coded: dict[str, pl.DataFrame]
    topics: pl.DataFrame

    def __len__(self) -> int:
        return len(self.table)


def columns(size: int, *, seed: int = 1, today: date = TODAY) -> Columns:
    """All of them at once."""
    made = list(blocks(size, seed=seed, today=today))
    coded = {key: pl.concat([some.coded[key] for some in made]) for key in made[0].coded}
    return Columns(0, pl.concat([some.table for some in made]), coded, pl.concat([some.topics for some in made]))


def blocks(size: int, *, seed: int = 1, today: date = TODAY) -> Iterator[Columns]:
    """All of them, a block at a time."""
    for number in range(-(-size // BLOCK)):
        yield block(number, min(BLOCK, size - number * BLOCK), seed=seed, today=today)


def block(number: int, size: int = BLOCK, *, seed: int = 1, today: date = TODAY) -> Columns:
    """The first `size` people of one block."""
    return _Block(number, seed, today.toordinal() - _EPOCH).made(size)


def records(some: Columns, chunk: int = 5_000) -> Iterator[list[Record]]:
    """The same people in the form in which they are sealed, in order."""
    forms = {"birth_date": "%Y-%m-%d", "last_visit_at": "%Y-%m-%dT%H:%M:%SZ"}
    texts = some.table.with_columns(pl.col(key).dt.to_string(form) for key, form in forms.items())
    for start in range(0, len(some), chunk):
        part = texts.slice(start, chunk)
        lists = [
            (key, _lists(frame, some.first + start, some.first + start + len(part)))
            for key, frame in some.coded.items()
        ]
        yield [
            Record(
                {key: value for key, value in row.items() if value is not None},
                {key: every[place] for key, every in lists if every[place]},
            )
            for place, row in enumerate(part.iter_rows(named=True))
        ]


def _lists(frame: pl.DataFrame, start: int, stop: int) -> list[list[Coded]]:
    """The entries of persons `start` to `stop`, a list each."""
    bounds = frame["person"].search_sorted(pl.Series(range(start, stop + 1)))
    part = frame.slice(bounds[0], bounds[-1] - bounds[0])
    days = [part[key].dt.to_string("%Y-%m-%d").to_list() for key in ("start", "stop")]
    entries = list(map(Coded, part["code"].to_list(), part["name"].to_list(), *days))
    ends = (bounds - bounds[0]).to_list()
    return [entries[a:b] for a, b in pairwise(ends)]


class _Block:
    """One block in the making. It always draws for everybody, so that its people are the same in any size."""

    def __init__(self, number: int, seed: int, today: int) -> None:
        self.random = np.random.default_rng([seed, number])
        self.first, self.today = number * BLOCK, today
        self.sex = self.random.choice(4, BLOCK, p=(0.525, 0.465, 0.005, 0.005))
        ages = np.concatenate([np.repeat(age, share) for age, share in w.AGES])
        self.age = self.random.choice(ages, BLOCK) + self.random.integers(0, 5, BLOCK)
        self.born = today - (self.age * 365.25).astype(np.int64) - self.random.integers(0, 365, BLOCK)

    def made(self, size: int) -> Columns:
        conditions, medications, diabetes = self._health()
        procedures = self._procedures(diabetes)
        visits, last_visit = self._visits()
        table, topics = self._table(diabetes, last_visit), self._topics()
        lists = {"conditions": conditions, "medications": medications, "procedures": procedures, "visits": visits}
        coded = {key: entries.filter(pl.col("person") < self.first + size) for key, entries in lists.items()}
        return Columns(self.first, table.head(size), coded, topics.head(size))

    def _some(self, share: float | npt.NDArray[Any]) -> Mask:
        held: Mask = self.random.random(BLOCK) < share
        return held

    def _skewed(self, count: int, size: int = BLOCK, power: float = 1.4) -> Ints:
        """Places among `count`, the first most often."""
        return (self.random.random(size) ** power * count).astype(np.uint32)

    # Lists

    def _health(self) -> tuple[pl.DataFrame, pl.DataFrame, Mask]:
        """Conditions, what is taken for them, and who has diabetes."""
        diabetes = np.zeros(BLOCK, dtype=np.bool_)
        conditions, medications = _Entries(), _Entries()
        for care in w.CONDITIONS:
            rows = np.flatnonzero(self._concerned(care) & self._some(care.share + care.rise * (self.age - care.age)))
            # Since some day of the last twenty years in which they were old enough; one in eight is over it.
            years = np.clip(self.age[rows] - care.age + 1, 1, 20 if care.until == 120 else 1)
            start = self.today - self.random.integers(20, years * 365 - 10)
            over = self.random.random(len(rows)) < 0.12
            stop = np.where(over, self.random.integers(start, self.today), _Entries.NONE)
            conditions.add(rows, start, stop, care.code, care.name)
            if care.code.startswith("E1"):
                diabetes[rows] = True
            if medication := w.MEDICATIONS.get(care.code):
                given = self.random.random(len(rows)) < 0.8
                medications.add(rows[given], start[given], stop[given], *medication)
        rows = self._rows_of(0.28)
        start = self.today - self.random.integers(20, 2_000, len(rows))
        stop = np.minimum(start + self.random.integers(5, 300, len(rows)), self.today)
        rare = self._skewed(len(w.RARE_CONDITIONS), len(rows), 3.0)
        conditions.add_many(rows, start, stop, rare, w.RARE_CONDITIONS)
        return conditions.frame(self.first), medications.frame(self.first), diabetes

    def _procedures(self, diabetes: Mask) -> pl.DataFrame:
        entries = _Entries()
        for care in w.PROCEDURES:
            self._done(entries, self._concerned(care) & self._some(care.share), care.code, care.name)
        for code, name, share in w.FOR_DIABETES:
            self._done(entries, diabetes & self._some(share), code, name)
        rows = self._rows_of(0.12)
        day = self.today - self.random.integers(1, 2_500, len(rows))
        rare = self._skewed(len(w.RARE_PROCEDURES), len(rows), 3.0)
        entries.add_many(rows, day, day, rare, w.RARE_PROCEDURES)
        return entries.frame(self.first)

    def _done(self, entries: "_Entries", who: Mask, code: str, name: str) -> None:
        """Once or twice in seven years, the more likely the nearer; never before they were born."""
        for share in (1.0, 0.3):
            rows = np.flatnonzero(who & self._some(share))
            day = self.today - (self.random.random(len(rows)) ** 1.7 * 2_500).astype(np.int64) - 1
            day = np.maximum(day, self.born[rows])
            entries.add(rows, day, day, code, name)

    def _visits(self) -> tuple[pl.DataFrame, Ints]:
        """Visits of three years, and the day of everybody's last one (0: none)."""
        often = self.random.poisson(np.clip(1.2 + self.age / 35, 1.2, 4.0))
        rows = np.repeat(np.arange(BLOCK), often)
        day = self.today - self.random.integers(1, 1_100, len(rows))
        day = np.maximum(day, self.born[rows])
        last = np.zeros(BLOCK, dtype=np.int64)
        np.maximum.at(last, rows, day)
        entries = _Entries()
        entries.add_many(rows, day, day, self.random.choice(len(w.VISITS), len(rows), p=w.VISIT_SHARES), w.VISITS)
        return entries.frame(self.first), last

    def _concerned(self, care: w.Care) -> Mask:
        held: Mask = (self.age >= care.age) & (self.age < care.until)
        return held & (self.sex == w.SEXES.index(care.sex)) if care.sex else held

    def _rows_of(self, share: float) -> Ints:
        return np.sort(self.random.integers(0, BLOCK, int(BLOCK * share)))

    # Single values

    def _table(self, diabetes: Mask, last_visit: Ints) -> pl.DataFrame:
        random = self.random
        numbers = np.arange(self.first, self.first + BLOCK)
        # One in a hundred shares the address of the person before.
        family = self._some(0.01)
        family[0] = False
        at, domain = np.where(family, numbers - 1, numbers), random.integers(0, len(w.DOMAINS), BLOCK)
        shared = family | np.append(family[1:], False)
        domain = np.where(family, np.roll(domain, 1), domain)
        first = np.where(self.sex == 0, self._skewed(len(w.FEMALE)), self._skewed(len(w.MALE)) + len(w.FEMALE))
        place = self._skewed(len(w.PLACES), power=1.8)
        plans = [random.choice(len(w.PLANS), BLOCK, p=shares) for shares in (w.PLANS_YOUNG, w.PLANS_OLD)]
        moment = (last_visit * 86_400 + random.integers(13 * 4, 22 * 4, BLOCK) * 900) * 1_000_000
        a1c = np.where(diabetes, random.normal(7.6, 1.4, BLOCK), random.normal(5.4, 0.4, BLOCK)).clip(4, 15).round(1)
        made = pl.DataFrame(
            {
                "number": numbers,
                "at": at,
                "shared": shared,
                "domain": _words(w.DOMAINS, domain),
                "first_name": _words([*w.FEMALE, *w.MALE], first),
                "last_name": _words(w.LAST, self._skewed(len(w.LAST))),
                "birth_date": pl.Series(self.born.astype(np.int32)).cast(pl.Date),
                "sex": _words(w.SEXES, self.sex),
                "language": _words(w.LANGUAGES, random.choice(5, BLOCK, p=(0.84, 0.11, 0.02, 0.02, 0.01))),
                "line": random.integers(0, 100, BLOCK),
                "house": random.integers(1, 9_000, BLOCK),
                "road": _words(w.STREETS, self._skewed(len(w.STREETS))),
                "city": _words(w.CITIES, place),
                "state": _words(w.STATES, np.array([w.STATES.index(p[1]) for p in w.PLACES])[place]),
                "zip": _words(w.ZIPS, place * 20 + self._skewed(20)),
                "time_zone": _words(w.ZONES, np.array([w.ZONES.index(p[3]) for p in w.PLACES])[place]),
                "plan": _words(w.PLANS, np.where(self.age < 65, *plans)),
                "provider": _words(w.PROVIDERS, self._skewed(len(w.PROVIDERS), power=2.0), self._some(0.06)),
                "last_visit_at": _missing(pl.Series(moment), last_visit == 0).cast(pl.Datetime("us", "UTC")),
                "a1c": _missing(pl.Series(a1c), ~(self._some(0.12) | (diabetes & self._some(0.9)))),
                "smoker": self._some(0.13) & (self.age >= 18),
                "reachable": ~self._some(0.04),
            }
        )
        last = pl.col("last_name").cast(pl.String).str.to_lowercase().str.replace_all("[^a-z]", "")
        own = pl.format("{}.{}{}@{}", pl.col("first_name").cast(pl.String).str.to_lowercase(), last, "at", "domain")
        theirs = pl.format("family{}@{}", "at", "domain")
        return made.select(
            pl.format("M{}", pl.col("number").cast(pl.String).str.zfill(8)).alias("external_id"),
            pl.when("reachable").then(pl.when("shared").then(theirs).otherwise(own)).alias("email"),
            *("first_name", "last_name", "birth_date", "sex", "language"),
            pl.format("+1 555 01{}", pl.col("line").cast(pl.String).str.zfill(2)).alias("phone"),
            pl.format("{} {}", "house", "road").alias("street"),
            *("city", "state", "zip", "time_zone", "plan", "provider", "last_visit_at", "a1c", "smoker"),
        )

    def _topics(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                f"topic_{place}": self._some(joined).astype(np.int8) * np.where(self._some(left), -1, 1).astype(np.int8)
                for place, (joined, left) in enumerate(TOPICS)
            }
        )


def _missing(column: pl.Series, where: Mask) -> pl.Series:
    return column.set(pl.Series(where), None)


def _words(words: Sequence[str], places: Ints, missing: Mask | None = None) -> pl.Series:
    column = pl.Series(places.astype(np.uint32))
    return (column if missing is None else _missing(column, missing)).cat.to(pl.Enum(words))


class _Entries:
    """Entries of one coded list, gathered code by code."""

    #: A stop that is none: still active.
    NONE = 2**31 - 1

    def __init__(self) -> None:
        self.parts: list[tuple[Ints, Ints, Ints, Ints]] = []
        self.codes: list[tuple[str, str]] = []

    def add(self, rows: Ints, start: Ints, stop: Ints, code: str, name: str) -> None:
        self.add_many(rows, start, stop, np.zeros(len(rows), dtype=np.int64), [(code, name)])

    def add_many(self, rows: Ints, start: Ints, stop: Ints, which: Ints, codes: Sequence[tuple[str, str]]) -> None:
        self.parts.append((rows, start, stop, which.astype(np.int64) + len(self.codes)))
        self.codes += codes

    def frame(self, first: int) -> pl.DataFrame:
        rows, start, stop, which = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        order = np.argsort(rows, kind="stable")
        codes = pl.DataFrame(self.codes, schema=["code", "name"], orient="row")[which[order]]
        days = stop[order].astype(np.int64)
        return pl.DataFrame(
            {
                "person": rows[order].astype(np.int64) + first,
                "code": codes["code"],
                "name": codes["name"],
                "start": pl.Series(start[order].astype(np.int32)).cast(pl.Date),
                "stop": _missing(pl.Series(days.clip(0, 60_000).astype(np.int32)), days == self.NONE).cast(pl.Date),
            }
        )
