"""When: spans, moments around dates and weekdays, in the time of where the person is. Pure.

Days and weeks go by the calendar, so ten o'clock stays ten o'clock across a change of clocks; hours and minutes go by
the clock. A time that the clocks leave out is taken as the moment it would have been (02:30 becomes 03:30); one that
comes twice is taken the first time.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from workflows.language.definition import Moment, Span


def clock_time(text: str) -> time:
    """ "10:00" as a time. ValueError."""
    hours, _, minutes = text.partition(":")
    return time(int(hours), int(minutes))


def local(day: date, at: time, zone: tzinfo) -> datetime:
    """That wall-clock time there, in UTC."""
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)


def _moved(moment: datetime, days: int, minutes: int, zone: tzinfo) -> datetime:
    if days:
        there = moment.astimezone(zone)
        moment = local(there.date() + timedelta(days=days), there.time(), zone)
    return moment.astimezone(UTC) + timedelta(minutes=minutes)


def later(start: datetime, span: Span, zone: tzinfo) -> datetime:
    """So long after `start`, in UTC."""
    return _moved(start, span.weeks * 7 + span.days, span.hours * 60 + span.minutes, zone)


def parsed(value: object) -> date | datetime | None:
    """A stored date ("2026-11-30") or moment ("2026-11-30T14:00:00Z"); None: there is none."""
    if not isinstance(value, str) or not value:
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def around(value: date | datetime | None, moment: Moment, zone: tzinfo) -> datetime | None:
    """The moment that is asked for around this date, in UTC; None where there is no date, or it is out of all time."""
    if value is None:
        return None
    try:
        if moment.at:
            day = value.astimezone(zone).date() if isinstance(value, datetime) else value
            return local(day + timedelta(days=moment.days), clock_time(moment.at), zone)
        start = value if isinstance(value, datetime) else local(value, time(), zone)
        return _moved(start, moment.days, moment.minutes, zone)
    except OverflowError:
        return None


def in_year(value: date | datetime, year: int, zone: tzinfo) -> date | datetime:
    """The day in that year, or the same time of that day there; 29 February: the 28th where there is none."""
    if isinstance(value, datetime):
        there = value.astimezone(zone)
        return local(in_year(there.date(), year, zone), there.time(), zone)
    try:
        return value.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def next_weekday(start: datetime, weekdays: tuple[int, ...], at: str, zone: tzinfo) -> datetime:
    """The first such weekday (none named: any day) and time there that is later than `start`, in UTC.

    Later, not "not before": else a loop would go round at one moment, and a clock that stops at the full hour (the
    simulator's) would answer otherwise than one that runs on.
    """
    day, wanted = start.astimezone(zone).date(), clock_time(at)
    for ahead in range(9):
        found = day + timedelta(days=ahead)
        if not weekdays or found.weekday() in weekdays:
            moment = local(found, wanted, zone)
            if moment > start:
                return moment
    raise AssertionError("Every weekday comes within eight days.")
