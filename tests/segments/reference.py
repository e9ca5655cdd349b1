"""A second evaluator: plain Python over plain records, written from docs/segments.md alone. Slow and obvious."""

import re
import unicodedata
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

ZONES = available_timezones()
WEEK = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@dataclass
class Someone:
    """One person as the spec speaks of them."""

    values: dict[str, Any] = field(default_factory=dict)
    #: {attribute: [(code, start, stop)]}
    coded: dict[str, list[tuple[str, str | None, str | None]]] = field(default_factory=dict)
    #: {topic: "opted_in" | "opted_out" | "no_choice"}
    topics: dict[str, str] = field(default_factory=dict)
    #: [(event, mailing, moment)] or, of a click, [(event, mailing, moment, link)]
    events: list[tuple[Any, ...]] = field(default_factory=list)
    number: int = 0


@dataclass
class World:
    now: datetime
    zone: ZoneInfo
    kinds: dict[str, str]
    #: {mailing: topic}, newest first.
    mailings: dict[str, str] = field(default_factory=dict)
    #: {segment: its rule, or the numbers of the people of a snapshot}
    segments: dict[str, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def there(self, person: Someone) -> "World":
        """The same with the clock on the person's own wall."""
        name = person.values.get("time_zone")
        zone = ZoneInfo(name) if name in ZONES else self.zone
        return World(self.now, zone, self.kinds, self.mailings, self.segments)


def holds(rule: dict[str, Any], person: Someone, world: World) -> bool:
    return _clause(rule["root"], person, world)


def _clause(clause: dict[str, Any], person: Someone, world: World) -> bool:  # noqa: PLR0911, PLR0912
    if "all" in clause:
        return all(_clause(c, person, world) for c in clause["all"])
    if "any" in clause:
        return any(_clause(c, person, world) for c in clause["any"])
    if "none" in clause:
        return not any(_clause(c, person, world) for c in clause["none"])
    if "topic" in clause:
        return person.topics.get(clause["topic"], "no_choice") == clause["op"]
    if "event" in clause:
        return _event(clause, person, world) == (clause.get("op", "did") == "did")
    if "sample" in clause:
        return _drawn(person.number, clause["sample"].get("seed", 0)) < clause["sample"]["percent"] / 100
    if "segment" in clause:
        of = world.segments[clause["segment"]]
        inside = person.number in of if isinstance(of, list) else holds(of, person, world)
        return inside == (clause["op"] == "in")
    kind = world.kinds[clause["attribute"]]
    if kind == "coded":
        return _coded(clause, person.coded.get(clause["attribute"], []), world)
    value = person.values.get(clause["attribute"])
    if value == "":
        value = None
    if clause["op"] == "is_empty":
        return value is None
    if value is None:
        return False
    if clause["op"] == "is_not_empty":
        return True
    if clause.get("zone") == "contact":
        world = world.there(person)
    if kind in ("date", "datetime"):
        day = date.fromisoformat(value) if kind == "date" else _local(value, world)
        return _date(clause["op"], day, clause.get("value"), _day(clause.get("on") or {"days": 0}, world), world)
    ask = {"text": _text, "choice": _choice, "number": _number, "boolean": _boolean}
    return ask[kind](clause["op"], value, clause["value"], world)


def _drawn(number: int, seed: int) -> float:
    x = (number + (seed + 1) * 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return ((x ^ (x >> 31)) >> 11) / 2**53


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _text(op: str, value: str, given: Any, world: World) -> bool:
    value = _fold(value)
    if isinstance(given, list):
        return (value in [_fold(g.strip()) for g in given]) == (op == "one_of")
    if op in ("matches", "does_not_match"):
        # Tests only write patterns that Python reads the same way, but for $, which stands before a last line end too.
        pattern = re.sub(r"(?<!\\)\$", r"\\Z", given.strip()).replace("(", "(?:")
        return bool(re.search(pattern, value, re.IGNORECASE | re.DOTALL)) == (op == "matches")
    given = _fold(given.strip())
    return {
        "is": value == given,
        "is_not": value != given,
        "contains": given in value,
        "does_not_contain": given not in value,
        "starts_with": value.startswith(given),
        "ends_with": value.endswith(given),
    }[op]


def _choice(op: str, value: str, given: Any, world: World) -> bool:
    chosen = given if isinstance(given, list) else [given]
    return (value in chosen) == (op in ("is", "one_of"))


def _number(op: str, value: float, given: Any, world: World) -> bool:
    value = float(value)
    if op in ("between", "not_between"):
        return (float(given["from"]) <= value <= float(given["to"])) == (op == "between")
    given = float(given)
    return {
        "is": value == given,
        "is_not": value != given,
        "less_than": value < given,
        "at_most": value <= given,
        "more_than": value > given,
        "at_least": value >= given,
    }[op]


def _boolean(op: str, value: bool, given: bool, world: World) -> bool:
    return value is given


def _local(value: str, world: World) -> date:
    moment = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
    return moment.astimezone(world.zone).date()


def _moved(day: date, span: dict[str, int], sign: int = 1) -> date:
    """Months keep the day of the month; a month that has none of it ends it on its last day."""
    ((unit, count),) = span.items()
    count *= sign
    if unit in ("days", "weeks"):
        return day + timedelta(**{unit: count})
    months = count * (12 if unit == "years" else 1)
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month in (0, 13):
            year, month = (year - 1, 12) if month == 0 else (year + 1, 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _day(day: Any, world: World) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else _moved(world.today, day)


def _birthday(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _date(op: str, day: date, given: Any, on: date, world: World) -> bool:  # noqa: PLR0911
    today = world.today
    if op in ("is", "before", "after"):
        asked = _day(given, world)
        return {"is": day == asked, "before": day < asked, "after": day > asked}[op]
    if op == "between":
        return _day(given["from"], world) <= day <= _day(given["to"], world)
    if op == "weekday":
        return WEEK[day.weekday()] in given
    if op == "birthday_this_month":
        return day <= today and day.month == today.month
    if op == "birthday_in_next":
        last = _moved(today, given)
        return day <= today and any(today <= _birthday(day, year) <= last for year in range(today.year, last.year + 1))
    if op.startswith("age_"):
        if day > on:
            return False
        years = on.year - day.year - (0 if _birthday(day, on.year) <= on else 1)
        if op == "age_between":
            return given["from"] <= years <= given["to"]
        return years >= given if op == "age_at_least" else years <= given
    before, after = _moved(today, given, -1), _moved(today, given)
    return {
        "in_last": before <= day <= today,
        "in_next": today <= day <= after,
        "ago": day == before,
        "ahead": day == after,
        "more_than_ago": day < before,
        "more_than_ahead": day > after,
    }[op]


def _so_often(count: int, times: dict[str, int] | None) -> bool:
    ((op, given),) = (times or {"at_least": 1}).items()
    return {"at_least": count >= given, "more_than": count > given, "at_most": count <= given}[op]


def _coded(clause: dict[str, Any], entries: list[tuple[str, str | None, str | None]], world: World) -> bool:
    if clause["op"] == "is_empty":
        return not entries
    if clause["op"] == "is_not_empty":
        return bool(entries)
    found = 0
    for code, start, stop in entries:
        fits = any(_same_code(code.upper(), wanted.strip().upper()) for wanted in clause["value"])
        if fits and _lasted(start, stop, clause.get("when", "ever"), world):
            found += 1
    return found == 0 if clause["op"] == "has_none" else _so_often(found, clause.get("times"))


def _same_code(code: str, wanted: str) -> bool:
    if wanted.endswith(".*"):
        return code == wanted[:-2] or code.startswith(wanted[:-1])
    if wanted.endswith("*"):
        return code.startswith(wanted[:-1])
    return code == wanted


def _lasted(start: str | None, stop: str | None, when: Any, world: World) -> bool:
    if when == "ever":
        return True
    began = date.fromisoformat(start) if start else date.min
    ended = date.fromisoformat(stop) if stop else date.max
    today = world.today
    if when == "active":
        first, last = today, today
    elif "in_last" in when:
        first, last = _moved(today, when["in_last"], -1), today
    elif "started_in_last" in when:
        return start is not None and _moved(today, when["started_in_last"], -1) <= began <= today
    elif "ended_in_last" in when:
        return stop is not None and _moved(today, when["ended_in_last"], -1) <= ended <= today
    else:
        first, last = _day(when["between"]["from"], world), _day(when["between"]["to"], world)
    return max(began, first) <= min(ended, last)


def _event(clause: dict[str, Any], person: Someone, world: World) -> bool:
    mailing, topic, when = clause.get("mailing"), clause.get("of_topic"), clause.get("when")
    of = [m for m, t in world.mailings.items() if topic in (None, t)]
    if mailing == "last":
        of = of[:1]
    count = 0
    for event, of_mailing, moment, *link in person.events:
        if event != clause["event"] or moment > world.now:
            continue
        if (mailing == "last" or topic is not None) and of_mailing not in of:
            continue
        if mailing not in (None, "last") and of_mailing != mailing:
            continue
        if clause.get("link") is not None and link != [clause["link"]]:
            continue
        day = moment.astimezone(world.zone).date()
        if when is not None and "in_last" in when and day < _moved(world.today, when["in_last"], -1):
            continue
        if when is not None and "between" in when:
            first, last = (_day(when["between"][end], world) for end in ("from", "to"))
            if not first <= day <= last:
                continue
        count += 1
    return _so_often(count, clause.get("times"))
