"""Whose moment around a date has come: asked of everybody's dates at once, each minute, missing none and none twice."""

import logging
from calendar import isleap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import polars as pl

from contacts.models import Attribute, Kind
from contacts.queries import open_many
from contacts.records import Record
from core.models import Organization
from phi.errors import SealBroken
from segments import calendar, people
from segments.calendar import zone_called
from segments.columns import NO_DAY, Column, Frame, Int, Mask, Words, between, words
from segments.dates import TIME_ZONE
from workflows import moments
from workflows.enrolling import Entry
from workflows.happenings import date_index
from workflows.language.definition import ByDate, Moment
from workflows.watched import Version

log = logging.getLogger(__name__)

#: People of one call of enrol.
BATCH = 5_000
#: A change of clocks moves a moment by no more.
CLOCKS = timedelta(hours=3)
DAY = timedelta(days=1)
#: The same time of day comes to the first and the last place on earth so far apart.
FARTHEST = timedelta(hours=26)
EPOCH_DAY, EPOCH = date(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)

#: For each zone the days whose moment falls into a window, and the moment.
Due = dict[str, dict[date, datetime]]


def home() -> ZoneInfo:
    """Where the organization is, and whoever is not known to be elsewhere."""
    return ZoneInfo(Organization.current().time_zone)


def zone_of(record: Record, otherwise: tzinfo) -> tzinfo:
    name = record.values.get(TIME_ZONE)
    return (zone_called(name) if isinstance(name, str) and name else None) or otherwise


# -- who is due -------------------------------------------------------------------------------------------------------


def due_days(moment: Moment, zones: Iterable[str], after: datetime, until: datetime) -> Due:
    """Of each of these zones the days whose moment is later than `after` and not later than `until`."""
    offset = timedelta(days=moment.days, minutes=moment.minutes)
    if moment.at:
        clock = moments.clock_time(moment.at)
        offset = timedelta(days=moment.days, hours=clock.hour, minutes=clock.minute)
    # No zone is a day away from UTC.
    first, last = (after - offset - DAY).date(), (until - offset + DAY).date()
    days = [first + n * DAY for n in range((last - first).days + 1)]
    found: Due = {}
    for name in zones:
        zone = zone_called(name)
        if zone is None:
            continue
        there = {day: when for day in days if (when := moments.around(day, moment, zone)) and after < when <= until}
        if there:
            found[name] = there
    return found


@cache
def _all_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def due(
    version: Version, after: datetime, until: datetime, *, here: ZoneInfo | None = None, was: ZoneInfo | None = None
) -> Iterator[list[Entry]]:
    """Everybody whose moment comes in (after, until], a lot at a time; the date decides anew what is over by then.

    `here`: where the organization is; `was`: where it was by `after`, if that is elsewhere. Who is not known to be
    anywhere moved with it: they enter too where the moment was still to come, and has passed where they are now.
    """
    trigger = version.definition.trigger
    assert isinstance(trigger, ByDate)
    kind = (
        Attribute.objects.filter(key=trigger.moment.attribute, removed_at=None).values_list("kind", flat=True).first()
    )
    if kind not in (Kind.DATE, Kind.DATETIME) or after >= until:
        return
    by_day = kind == Kind.DATE or bool(trigger.moment.at)
    since = after - FARTHEST if was else after
    days = due_days(trigger.moment, _all_zones(), since, until) if by_day else {}
    if by_day and not days:  # the usual case: it is ten o'clock nowhere
        return
    for frame in people.frames_of({trigger.moment.attribute: kind, TIME_ZONE: Kind.TEXT}, ids=True):
        look = _Look(frame, trigger, kind, after, until, here or home(), was)
        entries = list(look.by_days(days) if by_day else look.by_times() if trigger.yearly else look.by_moments())
        for start in range(0, len(entries), BATCH):
            yield entries[start : start + BATCH]


class _Look:
    """One frame of people and the window asked about."""

    def __init__(  # noqa: PLR0917  what is looked at, and from where
        self,
        frame: Frame,
        trigger: ByDate,
        kind: str,
        after: datetime,
        until: datetime,
        here: ZoneInfo,
        was: ZoneInfo | None,
    ) -> None:
        self.frame, self.trigger, self.kind, self.after, self.until = frame, trigger, kind, after, until
        self.was, self.since = was, after - FARTHEST if was else after
        column = frame.columns[trigger.moment.attribute]
        assert isinstance(column, pl.Series)
        self.column = column
        self.zones, self.places, self.at_home = zones(frame.columns[TIME_ZONE], here)

    def by_days(self, days: Due) -> Iterator[Entry]:
        """Who is due is a question of the day of their date, zone by zone."""
        for place, zone in enumerate(self.zones):
            there = days.get(str(zone))
            if there is None:
                continue
            rows = np.flatnonzero(self.frame.present & (self.places == place))
            column = self.column.gather(rows)
            held = _local_days(column, zone, self.kind)
            for day, when in there.items():
                mask = _same_day(held, day, yearly=self.trigger.yearly)
                if mask.any():
                    chosen = rows[mask]
                    values = self.column.gather(chosen)
                    yield from self._entries(chosen, values, place, [(day, when)] * len(chosen))

    def by_moments(self) -> Iterator[Entry]:
        """A moment so long before or after another one: near ones are found at once, and looked at one by one."""
        offset = timedelta(days=self.trigger.moment.days, minutes=self.trigger.moment.minutes)
        low, high = (_micros(moment) for moment in (self.since - offset - CLOCKS, self.until - offset + CLOCKS))
        held = self.column.to_physical().fill_null(low - 1).to_numpy()
        rows = np.flatnonzero(self.frame.present & (held >= low) & (held <= high))
        for row, value in zip(rows.tolist(), self.column.gather(rows).to_list(), strict=True):
            zone = self.zones[self.places[row]]
            when = moments.around(_moment(value), self.trigger.moment, zone)
            if when is not None and self.since < when <= self.until:
                day = _moment(value).astimezone(zone).date()
                yield from self._entries(np.array([row]), pl.Series([value]), int(self.places[row]), [(day, when)])

    def by_times(self) -> Iterator[Entry]:
        """The same time of a day of every year: those whose day is near are found at once, and looked at one by one."""
        moment = self.trigger.moment
        offset = timedelta(days=moment.days, minutes=moment.minutes)
        for place, zone in enumerate(self.zones):
            rows = np.flatnonzero(self.frame.present & (self.places == place))
            held = _local_days(self.column.gather(rows), zone, self.kind)
            first, last = (
                at.astimezone(zone).date() for at in (self.since - offset - CLOCKS, self.until - offset + CLOCKS)
            )
            for day in (first + n * DAY for n in range((last - first).days + 1)):
                chosen = rows[_same_day(held, day, yearly=True)]
                for row, value in zip(chosen.tolist(), self.column.gather(chosen).to_list(), strict=True):
                    when = moments.around(moments.in_year(_moment(value), day.year, zone), moment, zone)
                    if when is not None and self.since < when <= self.until:
                        yield from self._entries(np.array([row]), pl.Series([value]), place, [(day, when)])

    def _entries(
        self, rows: Int, values: pl.Series, place: int, due: Sequence[tuple[date, datetime]]
    ) -> Iterator[Entry]:
        ids, zone = self.frame.columns["id"], self.zones[place]
        assert isinstance(ids, pl.Series)
        for raw, value, (day, when) in zip(ids.gather(rows).to_list(), values.to_list(), due, strict=True):
            held = _value(value, self.kind)
            new = when > self.after
            if (new or self._moved(place, held, when)) and not _too_late(
                self.trigger, held, day, when, zone, self.until
            ):
                yield entry(self.trigger, UUID(bytes=raw), held, day, when if new else self.until)

    def _moved(self, place: int, value: date | datetime, when: datetime) -> bool:
        """Whether somebody moved with the organization, and their moment was still to come where it was."""
        if self.was is None or place not in self.at_home:
            return False
        there = (moment for _, moment in occurrences(self.trigger, value, self.was, when))
        return any(moment > self.after and moment - when <= FARTHEST for moment in there)


def entry(trigger: ByDate, contact_id: UUID, value: date | datetime, day: date, at: datetime) -> Entry:
    """Somebody who enters for this value of their date, in this year of it where it comes every year."""
    index = date_index(contact_id, trigger.moment.attribute, value.isoformat(), _year(trigger, day))
    return Entry(contact_id, index, None, at)


def _year(trigger: ByDate, day: date) -> int | None:
    """Which of the times that a date comes this is; None: it comes once, whatever day that is where somebody is."""
    return day.year if trigger.yearly else None


def _too_late(  # noqa: PLR0917  what a date is
    trigger: ByDate, value: date | datetime, day: date, when: datetime, zone: tzinfo, now: datetime
) -> bool:
    """What is to come before a date is of no use once the date is over."""
    begin, end = span(trigger, value, day, zone)
    return when < begin and end <= now


def span(trigger: ByDate, value: date | datetime, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When a date begins and when it is over: a day at its end, a moment when it comes."""
    if trigger.yearly:
        value = moments.in_year(value, day.year, zone)
    if isinstance(value, datetime):
        return value, value
    return moments.local(day, time(), zone), moments.local(day + DAY, time(), zone)


# -- who is late ------------------------------------------------------------------------------------------------------


def late(trigger: ByDate, values: Mapping[UUID, object], now: datetime) -> list[Entry]:
    """Of people whose date is this since just now: those whose moment had passed by then, and whose date had not."""
    found, records, otherwise = [], _records(list(values)), home()
    for contact_id, raw in values.items():
        record, value = records.get(contact_id), moments.parsed(raw)
        if record is None or value is None:
            continue
        zone = zone_of(record, otherwise)
        for day, when in occurrences(trigger, value, zone, now):
            if when <= now < span(trigger, value, day, zone)[1]:
                found.append(entry(trigger, contact_id, value, day, now))
                break
    return found


def _records(ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Their records; whose does not open is not there, and holds up nobody else."""
    try:
        return open_many(ids)
    except SealBroken:
        if len(ids) == 1:
            log.warning("the record of contact %s does not open", ids[0])
            return {}
    half = len(ids) // 2
    return _records(ids[:half]) | _records(ids[half:])


def passed_by(trigger: ByDate, contact_id: UUID, before: Record, after: Record, at: datetime) -> Entry | None:
    """Of somebody who moved zone: they enter where the moment was still to come, and has passed where they are now."""
    value, otherwise = moments.parsed(after.values.get(trigger.moment.attribute)), home()
    if value is None or value != moments.parsed(before.values.get(trigger.moment.attribute)):
        return None
    zone = zone_of(after, otherwise)
    was = {_year(trigger, day): when for day, when in occurrences(trigger, value, zone_of(before, otherwise), at)}
    for day, when in occurrences(trigger, value, zone, at):
        if when <= at < was.get(_year(trigger, day), at) and not _too_late(trigger, value, day, when, zone, at):
            return entry(trigger, contact_id, value, day, at)
    return None


def occurrences(
    trigger: ByDate, value: date | datetime, zone: tzinfo, near: datetime
) -> Iterator[tuple[date, datetime]]:
    """The days of a date, near a moment where it comes every year, and the moment around each."""
    if not trigger.yearly:
        day = value.astimezone(zone).date() if isinstance(value, datetime) else value
        if (when := moments.around(value, trigger.moment, zone)) is not None:
            yield day, when
        return
    first = value.astimezone(zone).year if isinstance(value, datetime) else value.year
    for year in range(max(first, near.year - 1), near.year + 2):
        that = moments.in_year(value, year, zone)
        if (when := moments.around(that, trigger.moment, zone)) is not None:
            yield (that.astimezone(zone).date() if isinstance(that, datetime) else that), when


# -- columns ----------------------------------------------------------------------------------------------------------


def zones(column: Column, otherwise: ZoneInfo) -> tuple[list[ZoneInfo], Int, set[int]]:
    """The zones people are in, the place of each row's among them, and the places of those who have none known."""
    held = column if isinstance(column, Words) else words(column)
    known = [zone_called(name) for name in held.words]
    nowhere = {place for place, zone in enumerate(known) if zone is None} | {len(known)}
    return [*(zone or otherwise for zone in known), otherwise], held.places, nowhere


def _local_days(column: pl.Series, zone: ZoneInfo, kind: str) -> Int:
    """Days since 1970, NO_DAY where there is none."""
    if kind == Kind.DATETIME:
        return calendar.local_days(column, zone)
    plain = column.to_physical()
    days: Int = (plain.fill_null(NO_DAY) if plain.null_count() else plain).to_numpy()
    return days


def _same_day(held: Int, day: date, *, yearly: bool) -> Mask:
    found: Mask
    if not yearly:
        found = held == calendar.number(day)
        return found
    asked = [day.month * 100 + day.day]
    if asked == [228] and not isleap(day.year):
        asked.append(229)
    return calendar.one_of(calendar.in_year(held), asked) & between(held, NO_DAY + 1, calendar.number(_end_of(day)))


def _end_of(day: date) -> date:
    return day.replace(month=12, day=31)


def _moment(value: Any) -> datetime:
    assert isinstance(value, datetime)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _value(value: Any, kind: str) -> date | datetime:
    """A value of a column as moments.parsed gives it."""
    if kind == Kind.DATETIME:
        return _moment(value).astimezone(UTC)
    return value if isinstance(value, date) else EPOCH_DAY + timedelta(days=int(value))
