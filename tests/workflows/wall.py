"""A calendar of its own for the slow and obvious interpreter: nothing of workflows.moments is used here.

Wall clocks are naive datetimes; offsets are asked of the zone, and everything else is adding and comparing.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def offset(moment: datetime, zone: str) -> timedelta:
    found = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


def wall(moment: datetime, zone: str) -> datetime:
    """What the clock on the wall there shows."""
    return moment.replace(tzinfo=None) + offset(moment, zone)


def moment_of(shown: datetime, zone: str) -> datetime:
    """When the clock there shows this: the first time, where it does so twice. Where the clocks leave it out: when it
    would have been, had they not been changed."""
    near = shown.replace(tzinfo=UTC)
    offsets = {offset(near + n * timedelta(hours=6), zone) for n in range(-8, 9)}
    times = sorted(near - one for one in offsets if wall(near - one, zone) == shown)
    if times:
        return times[0]
    before = offset(near - 2 * DAY, zone)
    return near - before


def plus_days(moment: datetime, days: int, zone: str) -> datetime:
    """The same time on the wall so many days later."""
    return moment_of(wall(moment, zone) + days * DAY, zone) if days else moment


def after_span(moment: datetime, span: Json, zone: str) -> datetime:
    days = span.get("weeks", 0) * 7 + span.get("days", 0)
    return plus_days(moment, days, zone) + (span.get("hours", 0) * 60 + span.get("minutes", 0)) * MINUTE


def day_of(value: str, zone: str) -> date:
    """The day there of a stored date or moment."""
    return date.fromisoformat(value) if len(value) == 10 else wall(datetime.fromisoformat(value), zone).date()


def in_year(day: date, year: int) -> date:
    """The same day of another year; the 28th where there is no 29 February."""
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    return date(year, 2, 28) if (day.month, day.day) == (2, 29) and not leap else date(year, day.month, day.day)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def at_time(day: date, text: str) -> datetime:
    return midnight(day) + int(text[:2]) * 60 * MINUTE + int(text[3:]) * MINUTE


def around(value: object, moment: Json, zone: str) -> datetime | None:
    """The moment that is asked for around a stored date ("2026-03-08") or moment ("2026-03-08T14:00:00Z")."""
    if not isinstance(value, str):
        return None
    own = None if len(value) == 10 else datetime.fromisoformat(value)
    day = day_of(value, zone)
    days, minutes = moment.get("days", 0), moment.get("minutes", 0)
    if moment.get("at"):
        return moment_of(at_time(day + days * DAY, moment["at"]), zone)
    start = own if own is not None else moment_of(midnight(day), zone)
    return plus_days(start, days, zone) + minutes * MINUTE


def next_weekday(moment: datetime, weekdays: list[int], text: str, zone: str) -> datetime:
    """The first such weekday and time there that is later."""
    day = wall(moment, zone).date()
    while True:
        found = moment_of(at_time(day, text), zone)
        if found > moment and (not weekdays or day.weekday() in weekdays):
            return found
        day += DAY
