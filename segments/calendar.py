"""Days, months and local time, for many people at once. Pure; days are whole numbers since 1970-01-01."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import polars as pl

from segments.columns import NO_DAY, Int, Mask
from segments.tree import Ago, Span

EPOCH = date(1970, 1, 1).toordinal()


def number(day: date) -> int:
    return day.toordinal() - EPOCH


def moved(day: date, span: Span | Ago, times: int = 1) -> date:
    """The day `span` later (earlier: `times` -1). A month that has no such day ends it on its last."""
    count = span.count * times
    if span.unit == "days":
        return day + timedelta(days=count)
    if span.unit == "weeks":
        return day + timedelta(weeks=count)
    months = day.year * 12 + day.month - 1 + count * (12 if span.unit == "years" else 1)
    year, month = divmod(months, 12)
    year = min(max(year, MINYEAR), MAXYEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def birth_limit(day: date, years: int) -> int:
    """The last day of birth of those who are at least so many years old on `day`.

    Who was born on 29 February has their birthday on the 28th in years without one.
    """
    if day.year - years < MINYEAR:
        return NO_DAY
    before = moved(day, Span(years, "years"), -1)
    on_29th = last_of_february(day) and (before + timedelta(days=1)).day == 29
    return number(before) + on_29th


def last_of_february(day: date) -> bool:
    """Whether it is 28 February of a year without a 29th."""
    return (day.month, day.day) == (2, 28) and monthrange(day.year, 2)[1] == 28


def birthdays_within(today: date, last: date) -> frozenset[int]:
    """The days (month * 100 + day) whose birthday comes round from `today` to `last`."""
    found: set[int] = set()
    for n in range(min((last - today).days, 366) + 1):
        day = today + timedelta(days=n)
        found.add(day.month * 100 + day.day)
        if last_of_february(day):
            found.add(229)
    return frozenset(found)


#: Almost every day anybody asks about; month and day of each are looked up, those of others worked out.
_FIRST, _AFTER = date(1850, 1, 1).toordinal() - EPOCH, date(2150, 1, 1).toordinal() - EPOCH


@lru_cache(maxsize=1)
def _in_year() -> Int:
    return _worked_out(np.arange(_FIRST, _AFTER, dtype=np.int32))


def _worked_out(days: Int) -> Int:
    column = pl.Series(days.astype(np.int32)).cast(pl.Date)
    return (column.dt.month().cast(pl.Int32) * 100 + column.dt.day().cast(pl.Int32)).to_numpy()


def in_year(days: Int) -> Int:
    """Month and day of each day as one number: 2 March is 302. 0 for a missing day."""
    found = _in_year().take(days.astype(np.int64) - _FIRST, mode="clip")
    outside = np.flatnonzero((days < _FIRST) | (days >= _AFTER))
    if len(outside):
        found[outside] = np.where(days[outside] == NO_DAY, 0, _worked_out(np.where(days == NO_DAY, 0, days)[outside]))
    return found


def one_of(values: Int, found: Iterable[int]) -> Mask:
    """Whether each of these small numbers, 0 or more, is among those found."""
    flags = np.zeros(1300, dtype=np.bool_)
    flags[list(found)] = True
    return flags.take(values)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone_called(name: str) -> ZoneInfo | None:
    """The time zone of that IANA name; None if there is none, or none that columns can be turned into."""
    if name not in _names():
        return None
    try:
        pl.Series([datetime(2000, 1, 1, tzinfo=UTC)]).dt.convert_time_zone(name)
    except pl.exceptions.PolarsError:
        return None
    return ZoneInfo(name)


def local_days(moments: pl.Series, zone: ZoneInfo) -> Int:
    """The day each moment was there; NO_DAY where there is none."""
    local = moments.dt.convert_time_zone(zone.key).dt.date()
    return local.to_physical().fill_null(NO_DAY).to_numpy()


#: Before and after every moment there can be.
EVER = (-(2**63) + 1, 2**63 - 1)
_MICRO = timedelta(microseconds=1)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def day_start(day: int, zone: ZoneInfo) -> int | None:
    """When the day began there, in microseconds since 1970: from then on, and only then, it is that day or later.

    None where the clock went back over midnight, so that two stretches of time were that day.
    """
    if not _FIRST <= day <= _AFTER:
        return None
    midnight = _UNIX + timedelta(days=day)
    hours = [midnight + timedelta(hours=n) for n in range(-40, 41)]
    offsets = [hour.astimezone(zone).utcoffset() or timedelta() for hour in hours]
    changed = [n for n in range(1, len(hours)) if offsets[n] != offsets[n - 1]]
    if not changed:
        return (midnight - offsets[0] - _UNIX) // _MICRO
    if len(changed) > 1:
        return None
    at = _changed(hours[changed[0] - 1], hours[changed[0]], zone)
    before, after = midnight - offsets[0], midnight - offsets[-1]
    if before >= at:
        return (max(at, after) - _UNIX) // _MICRO
    return (before - _UNIX) // _MICRO if after <= at else None


def _changed(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the clock changed there."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after
