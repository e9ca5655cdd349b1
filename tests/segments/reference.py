"""A second evaluator: plain Python over plain records, written from docs/segments.md alone. Slow and obvious."""

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass
class Someone:
    """One person as the spec speaks of them."""

    values: dict[str, Any] = field(default_factory=dict)
    #: {attribute: [(code, start, stop)]}
    coded: dict[str, list[tuple[str, str | None, str | None]]] = field(default_factory=dict)
    #: {topic: "opted_in" | "opted_out" | "no_choice"}
    topics: dict[str, str] = field(default_factory=dict)
    #: [(event, mailing, moment)]
    events: list[tuple[str, str, datetime]] = field(default_factory=list)


@dataclass
class World:
    now: datetime
    zone: ZoneInfo
    kinds: dict[str, str]

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


def holds(rule: dict[str, Any], person: Someone, world: World) -> bool:
    return _clause(rule["root"], person, world)


def _clause(clause: dict[str, Any], person: Someone, world: World) -> bool:  # noqa: PLR0911
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
    ask = {"text": _text, "choice": _choice, "number": _number, "boolean": _boolean, "date": _date, "datetime": _moment}
    return ask[kind](clause["op"], value, clause["value"], world)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _text(op: str, value: str, given: Any, world: World) -> bool:
    value = _fold(value)
    if isinstance(given, list):
        return (value in [_fold(g.strip()) for g in given]) == (op == "one_of")
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
    if op == "between":
        return float(given["from"]) <= value <= float(given["to"])
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


def _moment(op: str, value: str, given: Any, world: World) -> bool:
    moment = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
    return _date(op, moment.astimezone(world.zone).date().isoformat(), given, world)


def _day(day: Any, world: World) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else world.today + timedelta(days=day["days"])


def _birthday(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _date(op: str, value: str, given: Any, world: World) -> bool:  # noqa: PLR0911
    day, today = date.fromisoformat(value), world.today
    if op == "is":
        return day == _day(given, world)
    if op == "before":
        return day < _day(given, world)
    if op == "after":
        return day > _day(given, world)
    if op == "between":
        return _day(given["from"], world) <= day <= _day(given["to"], world)
    if op == "anniversary_in_next":
        last = today + timedelta(days=given)
        return day <= today and any(today <= _birthday(day, year) <= last for year in range(today.year, last.year + 1))
    if op == "age_between":
        if day > today:
            return False
        years = today.year - day.year - (0 if _birthday(day, today.year) <= today else 1)
        return given["from"] <= years <= given["to"]
    away = (day - today).days
    return {
        "in_last": -given <= away <= 0,
        "in_next": 0 <= away <= given,
        "days_ago": away == -given,
        "days_ahead": away == given,
        "more_than_ago": away < -given,
    }[op]


def _coded(clause: dict[str, Any], entries: list[tuple[str, str | None, str | None]], world: World) -> bool:
    if clause["op"] == "is_empty":
        return not entries
    if clause["op"] == "is_not_empty":
        return bool(entries)
    found = False
    for code, start, stop in entries:
        fits = any(_same_code(code.upper(), wanted.strip().upper()) for wanted in clause["value"])
        if fits and _lasted(start, stop, clause.get("when", "ever"), world):
            found = True
    return found == (clause["op"] == "has")


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
        first, last = today - timedelta(days=when["in_last"]), today
    elif "started_in_last" in when:
        return start is not None and today - timedelta(days=when["started_in_last"]) <= began <= today
    else:
        first, last = _day(when["between"]["from"], world), _day(when["between"]["to"], world)
    return max(began, first) <= min(ended, last)


def _event(clause: dict[str, Any], person: Someone, world: World) -> bool:
    for event, mailing, moment in person.events:
        if event != clause["event"]:
            continue
        if clause.get("mailing") is not None and mailing != clause["mailing"]:
            continue
        days = clause.get("days")
        if days is None or moment.astimezone(world.zone).date() >= world.today - timedelta(days=days):
            return True
    return False
