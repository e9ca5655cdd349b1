"""The people of a simulation as rows: their columns, zones and dates, taken set-wise from the column store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from contacts.models import Kind
from contacts.records import Record
from segments import calendar, evaluate, people
from segments.catalog import Catalog
from segments.columns import NO_DAY, Column, Frame, Int, Mask, Words, of_people, words
from segments.context import Context
from segments.dates import TIME_ZONE
from segments.facts import lookup
from segments.frames import kinds_of
from segments.tree import Clause, Engaged, InSegment, Rule, TopicIs, asked_of_facts, positive

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class People:
    """Everybody of `numbers` (ascending) who is there, one row each. Answers clauses as rules.Source."""

    def __init__(self, numbers: Sequence[int], kinds: Mapping[str, str], zone: ZoneInfo) -> None:
        self.zone = zone
        self.kinds = {**kinds, TIME_ZONE: Kind.TEXT.value}
        self._frames = list(people.frames_of(self.kinds, ids=True))
        known, places = _places(self._frames)
        among = np.isin(known, np.asarray(numbers, dtype=np.int64))
        order = np.argsort(known[among], kind="stable")
        self.numbers: Int = known[among][order]
        self._places: Int = places[among][order]
        self.ids = [UUID(bytes=raw) for raw in self._texts("id")]
        self.zones = self._zones()
        self.everywhere: Sequence[ZoneInfo] = tuple({zone.key: zone for zone in (self.zone, *self.zones)}.values())

    def __len__(self) -> int:
        return len(self.numbers)

    def mask(self, clause: Clause, now: datetime) -> Mask:
        context = Context(now, self.zone)
        if isinstance(clause, TopicIs | Engaged | InSegment):
            wanted = [positive(clause)[0]]
            # What was said is known as of now, also for days to come.
            context = Context(now, self.zone, lookup.sets(wanted, context, None))
        masks = [evaluate.masks([clause], frame, context)[0] for frame in self._frames]
        return np.concatenate(masks)[self._places] if masks else np.zeros(0, dtype=np.bool_)

    def of_value(self, clause: Clause, row: int, value: Any, now: datetime) -> bool:
        attribute = getattr(clause, "attribute", "")
        record = Record({TIME_ZONE: self.zones[row].key} | ({} if value is None else {attribute: value}))
        kinds = {attribute: self.kinds[attribute], TIME_ZONE: Kind.TEXT.value}
        frame = of_people([(int(self.numbers[row]), self.ids[row], record)], kinds)
        return bool(evaluate.masks([clause], frame, Context(now, self.zone))[0][0])

    def stored(self, attribute: str) -> list[Any]:
        """Its values as they are stored, None where there is none; of coded lists nothing."""
        kind = self.kinds.get(attribute)
        if kind is None or kind == Kind.CODED:
            return [None] * len(self)
        return self._texts(attribute)

    def _zones(self) -> list[ZoneInfo]:
        names = self._texts(TIME_ZONE)
        known = {name: (calendar.zone_called(name) if name else None) or self.zone for name in set(names)}
        return [known[name] for name in names]

    def _texts(self, key: str) -> list[Any]:
        found = [value for frame in self._frames for value in stored(frame.columns[key], self.kinds.get(key, ""))]
        return [found[place] for place in self._places.tolist()]


def _places(frames: Sequence[Frame]) -> tuple[Int, Int]:
    """The numbers of everybody there is, and the place of each among all rows of all frames."""
    numbers, places, before = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], 0
    for frame in frames:
        rows = np.flatnonzero(frame.present)
        numbers.append(frame.numbers[rows].astype(np.int64))
        places.append(rows + before)
        before += len(frame)
    return np.concatenate(numbers), np.concatenate(places)


def stored(column: Column, kind: str) -> list[Any]:
    """A column's values in the form contacts.values keeps them."""
    if isinstance(column, Words):
        texts = [*column.words.to_list(), None]
        return [texts[place] for place in column.places.tolist()]
    if kind == Kind.DATE:
        days = column.to_physical().to_list()
        text = {day: (_EPOCH + timedelta(days=day)).date().isoformat() for day in set(days) - {None, NO_DAY}}
        return [text.get(day) for day in days]
    if kind == Kind.DATETIME:
        return [None if moment is None else moment.isoformat().replace("+00:00", "Z") for moment in column.to_list()]
    if kind == Kind.NUMBER:
        return [None if number is None or number != number else number for number in column.to_list()]  # noqa: PLR0124
    return [value if value != "" else None for value in column.to_list()]


def kinds_for(rules: Sequence[Rule], attributes: Sequence[str], catalog: Catalog) -> dict[str, str]:
    """The columns that these rules and moments are answered from."""
    kinds = {key: catalog.fields[key].kind for key in attributes if key in catalog.fields}
    for rule in rules:
        kinds |= kinds_of(rule, catalog)
    return kinds


def frames_for(rule: Rule, catalog: Catalog) -> list[Frame]:
    """Everybody there is, with what the rule asks about, their zones and ids."""
    return list(people.frames_of({**kinds_of(rule, catalog), TIME_ZONE: Kind.TEXT.value}, ids=True))


def matching(rule: Rule, frames: Sequence[Frame], at: datetime, zone: ZoneInfo) -> list[Mask]:
    """Of each frame whom the rule matches at a (virtual) moment."""
    context = Context(at, zone, lookup.sets(asked_of_facts(rule), Context(at, zone), None))
    return [evaluate.matches(rule, frame, context) for frame in frames]


def zones_of(frame: Frame, zone: ZoneInfo) -> list[ZoneInfo]:
    """Where each row of a frame is."""
    column = frame.columns[TIME_ZONE]
    held = column if isinstance(column, Words) else words(column)
    known = [calendar.zone_called(name) or zone for name in held.words.to_list()] + [zone]
    return [known[place] for place in held.places.tolist()]


def series(column: Column) -> pl.Series:
    assert isinstance(column, pl.Series)
    return column
