"""Days as whole numbers: where they begin, how months move them, and which come round."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments import calendar
from segments.columns import NO_DAY
from segments.tree import Span
from tests.segments import people as make

#: Where the clock went back over midnight, by a whole day, or forward over it.
ODD = [
    ("America/St_Johns", date(2006, 10, 29)),  # 00:01 became 23:01
    ("Pacific/Apia", date(2011, 12, 30)),  # never was
    ("Pacific/Apia", date(2011, 12, 31)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # began at 01:00
    ("America/Sao_Paulo", date(2018, 2, 18)),  # midnight came twice
    ("Pacific/Kwajalein", date(1993, 8, 21)),
    ("America/Havana", date(2026, 3, 8)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Asia/Beirut", date(2026, 10, 25)),
]


def agrees(zone: ZoneInfo, day: date, minutes: list[int]) -> bool:
    """Whether the beginning of the day says of each moment around it what the clock there says."""
    start = calendar.day_start(calendar.number(day), zone)
    if start is None:
        return False
    for minute in minutes:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
        micro = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert (micro >= start) == (moment.astimezone(zone).date() >= day), (zone, day, moment)
    return True


@pytest.mark.parametrize(("zone", "day"), ODD)
def test_a_day_begins_when_the_clock_there_says_so(zone: str, day: date) -> None:
    every = list(range(-45 * 60, 45 * 60))
    known = agrees(ZoneInfo(zone), day, every)
    assert known or zone == "America/St_Johns"


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([*make.ZONES, "America/St_Johns", "Europe/London", "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.dates(date(1900, 1, 1), date(2037, 12, 31)),
    st.lists(st.integers(-2700, 2700), min_size=5, max_size=5),
)
def test_days_begin_as_the_clocks_say(zone: str, day: date, minutes: list[int]) -> None:
    agrees(ZoneInfo(zone), day, minutes)


def test_month_and_day_of_any_day() -> None:
    days = [
        date(1, 1, 1),
        date(1849, 12, 31),
        date(1850, 1, 1),
        date(2024, 2, 29),
        date(2149, 12, 31),
        date(9999, 12, 31),
    ]
    column = np.array([*map(calendar.number, days), NO_DAY], dtype=np.int32)
    assert calendar.in_year(column).tolist() == [*(d.month * 100 + d.day for d in days), 0]


@given(st.dates(date(1600, 1, 1), date(2400, 12, 31)), st.integers(-1200, 1200))
def test_months_keep_the_day_or_take_the_last(day: date, count: int) -> None:
    moved = calendar.moved(day, Span(count, "months"))
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == count
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)


@given(st.dates(date(1950, 1, 1), date(2100, 12, 31)), st.integers(0, 150))
def test_the_last_day_of_birth_of_an_age(day: date, years: int) -> None:
    def age(born: date) -> int:
        try:
            birthday = born.replace(year=day.year)
        except ValueError:
            birthday = date(day.year, 2, 28)
        return day.year - born.year - (birthday > day)

    limit = date.fromordinal(calendar.birth_limit(day, years) + calendar.EPOCH)
    assert age(limit) >= years
    assert age(limit + timedelta(days=1)) < years


def test_only_real_zones_are_zones() -> None:
    assert calendar.zone_called("America/New_York") == ZoneInfo("America/New_York")
    for name in ("", "america/new_york", "Mars/Olympus", "America", "../etc/passwd", "Factory ", "\x00"):
        assert calendar.zone_called(name) is None
    moments = pl.Series([datetime(2026, 3, 8, 4, 59, 59, tzinfo=UTC), None], dtype=pl.Datetime("us", "UTC"))
    found = calendar.local_days(moments, ZoneInfo("America/New_York")).tolist()
    assert found == [calendar.number(date(2026, 3, 7)), NO_DAY]
