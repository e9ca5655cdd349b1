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


def in_year(days: Int) -> Int:
    """Month and day of each day as one number: 2 March is 302. Missing days give nonsense."""
    column = pl.Series(np.where(days == NO_DAY, 0, days).astype(np.int32)).cast(pl.Date)
    return (column.dt.month().cast(pl.Int32) * 100 + column.dt.day().cast(pl.Int32)).to_numpy()


def one_of(values: Int, found: Iterable[int]) -> Mask:
    return np.isin(values, np.array(sorted(found)))


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
