"""Questions about days, for a whole column at once. Pure.

Most become "from this day to that": two comparisons. Where a question is asked in each person's own time zone there is
one today for each zone that occurs, and the two ends are looked up by it.
"""

from collections.abc import Callable, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from segments import calendar
from segments.columns import NO_DAY, Column, Frame, Int, Mask, Words, between, words
from segments.context import Context
from segments.tree import DateIs

TIME_ZONE = "time_zone"
_LAST = 2**31 - 1


def holds(clause: DateIs, frame: Frame, context: Context) -> Mask:
    """The rows whose day is as the clause says; a missing one never is."""
    column = frame.columns[clause.attribute]
    assert isinstance(column, pl.Series)
    zones, places = _zones(frame, context) if clause.contact else ([context.zone], None)
    if clause.op == "weekday":
        days = _days(column, clause, zones, places)
        return calendar.one_of(np.where(days == NO_DAY, 7, (days + 3) % 7), clause.weekdays)
    todays = [context.today_in(zone) for zone in zones]
    if clause.op in ("birthday_in_next", "birthday_this_month"):
        days = _days(column, clause, zones, places)
        return _by_today(days, todays, places, lambda today, some: _birthday(clause, today, some))
    ends = [_ends(clause, today, context) for today in todays]
    if clause.moment and (found := _moments(column, ends, zones, places)) is not None:
        return found
    days = _days(column, clause, zones, places)
    if places is None or len(set(ends)) == 1:
        return _between(days, *ends[0])
    lows, highs = np.array(ends, dtype=np.int32).T
    return between(days, np.maximum(lows, NO_DAY + 1).take(places), highs.take(places))


def _moments(
    column: pl.Series, ends: list[tuple[int, int]], zones: Sequence[ZoneInfo], places: Int | None
) -> Mask | None:
    """The moments on these days, without working out the day of each; None where a day has no one beginning."""
    first, last = calendar.EVER
    bounds: list[tuple[int, int]] = []
    for (low, high), zone in zip(ends, zones, strict=True):
        start = first if low <= NO_DAY + 1 else calendar.day_start(low, zone)
        end = last if high == _LAST else calendar.day_start(high + 1, zone)
        if start is None or end is None:
            return None
        bounds.append((start, end))
    physical = column.to_physical().fill_null(first - 1).to_numpy()
    if places is None:
        return between(physical, bounds[0][0], bounds[0][1] - 1)
    starts, stops = np.array(bounds, dtype=np.int64).T
    return between(physical, starts.take(places), stops.take(places) - 1)


def _between(days: Int, low: int, high: int) -> Mask:
    found: Mask
    if low == high:
        found = days == low
    elif high == _LAST:
        found = days >= low
    else:
        found = between(days, max(low, NO_DAY + 1), high)
    return found


def _zones(frame: Frame, context: Context) -> tuple[list[ZoneInfo], Int]:
    """The zones people are in, and the place of each row's among them; who has none is where the organization is."""
    column = frame.columns[TIME_ZONE]
    if not isinstance(column, Words):
        column = words(column)
    found = [calendar.zone_called(name) or context.zone for name in column.words]
    return [*found, context.zone], column.places


def _days(column: Column, clause: DateIs, zones: Sequence[ZoneInfo], places: Int | None) -> Int:
    """The day of each row since 1970, NO_DAY where there is none."""
    assert isinstance(column, pl.Series)
    if not clause.moment:
        plain = column.to_physical()
        days: Int = (plain.fill_null(NO_DAY) if plain.null_count() else plain).to_numpy()
        return days
    if places is None:
        return calendar.local_days(column, zones[0])
    found = np.full(len(column), NO_DAY, dtype=np.int32)
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        found[rows] = calendar.local_days(column.gather(rows), zones[place])
    return found


def _by_today(days: Int, todays: list[date], places: Int | None, ask: Callable[[date, Int], Mask]) -> Mask:
    if places is None or len(set(todays)) == 1:
        return ask(todays[0], days)
    found = np.zeros(len(days), dtype=np.bool_)
    for today in set(todays):
        there = np.array([t == today for t in todays]).take(places)
        found[there] = ask(today, days[there])
    return found


def _birthday(clause: DateIs, today: date, days: Int) -> Mask:
    in_year = calendar.in_year(days)
    if clause.span is None:
        round_again = between(in_year, today.month * 100 + 1, today.month * 100 + 99)
    else:
        last = calendar.moved(today, clause.span)
        round_again = calendar.one_of(in_year, calendar.birthdays_within(today, last))
    return round_again & between(days, NO_DAY + 1, calendar.number(today))


def _ends(clause: DateIs, today: date, context: Context) -> tuple[int, int]:  # noqa: PLR0911  one case per operator
    """The first and the last day for which the clause holds."""
    number, now = calendar.number, calendar.number(today)
    span = clause.span
    before = 0 if span is None else number(calendar.moved(today, span, -1))
    after = 0 if span is None else number(calendar.moved(today, span))
    first = None if clause.first is None else context.day(clause.first, today)
    match clause.op:
        case "in_last":
            return before, now
        case "in_next":
            return now, after
        case "ago":
            return before, before
        case "ahead":
            return after, after
        case "more_than_ago":
            return NO_DAY, before - 1
        case "more_than_ahead":
            return after + 1, _LAST
        case "age_between" | "age_at_least" | "age_at_most":
            on = first or today
            oldest = NO_DAY if clause.high is None else calendar.birth_limit(on, clause.high + 1) + 1
            return oldest, calendar.birth_limit(on, clause.low)
    assert first is not None
    match clause.op:
        case "is":
            return number(first), number(first)
        case "before":
            return NO_DAY, number(first) - 1
        case "after":
            return number(first) + 1, _LAST
        case "between":
            return number(first), number(context.day(clause.second, today))
        case _:
            raise AssertionError(clause.op)
