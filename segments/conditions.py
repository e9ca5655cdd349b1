"""Read one condition of a rule. Each reader returns the typed clause or raises BadValue with words for people."""

from typing import Any
from uuid import UUID

from segments import operators, sampling, values
from segments.catalog import Catalog, Field
from segments.operators import Operator, Takes
from segments.tree import (
    Clause,
    DateIs,
    Day,
    Empty,
    Engaged,
    HasCode,
    NumberIs,
    Sample,
    TextIs,
    Times,
    TopicIs,
    YesNoIs,
)
from segments.values import BadValue, shown

_PATTERNS = ("matches", "does_not_match")


def attribute(raw: dict[Any, Any], catalog: Catalog) -> Clause:
    """A question about what is known of a person."""
    key = raw["attribute"]
    if not isinstance(key, str) or not key:
        raise BadValue("Choose an attribute.", unfinished=not key)
    if key in catalog.removed:
        label, day = catalog.removed[key]
        raise BadValue(
            f"The attribute “{label}” was removed on {day:%d %b %Y}. Remove this condition or choose another one."
        )
    field = catalog.fields.get(key)
    if field is None:
        raise BadValue(f"There is no attribute {shown(key)}.")
    op = operators.operator(field.kind, raw.get("op"))
    if op is None:
        known = ", ".join(o.name for o in operators.BY_KIND[field.kind])
        if raw.get("op") in (None, ""):
            raise BadValue("Choose a comparison.", unfinished=True)
        raise BadValue(f"{field.label} cannot be asked {shown(raw.get('op'))}. It can be asked: {known}.")
    only(raw, {"attribute", "op", *operators.parts(field.kind, op)})
    return _build(field, op, raw)


def topic(raw: dict[Any, Any], catalog: Catalog) -> Clause:
    """A question about a choice in the ledger of consent."""
    only(raw, {"topic", "op"})
    found = identity(raw["topic"], "Choose a topic.")
    if found in catalog.removed_topics:
        day = catalog.removed_topics[found]
        raise BadValue(f"Its topic was removed on {day:%d %b %Y}. Remove this condition or choose another topic.")
    if found not in catalog.topics:
        raise BadValue("There is no such topic.")
    state = raw.get("op")
    if not isinstance(state, str) or state not in operators.TOPIC_STATES:
        raise BadValue("A topic can be asked: " + ", ".join(operators.TOPIC_STATES) + ".", unfinished=not state)
    return TopicIs(found, state)


def event(raw: dict[Any, Any], catalog: Catalog) -> Clause:
    """A question about what somebody did with mailings."""
    only(raw, {"event", "op", "mailing", "of_topic", "times", "when", "link"})
    what, op = raw["event"], raw.get("op", "did")
    if not isinstance(what, str) or what not in operators.EVENTS:
        raise BadValue("What somebody did with a mailing is one of: " + ", ".join(operators.EVENTS) + ".")
    if op not in ("did", "did_not"):
        raise BadValue("Ask whether somebody did or did_not.")
    last = raw.get("mailing") == "last"
    mailing = None if last or raw.get("mailing") is None else identity(raw["mailing"], "Choose a mailing.")
    if mailing is not None and mailing not in catalog.mailings:
        raise BadValue("There is no such mailing, or nothing of it has been sent yet.")
    of_topic = None if raw.get("of_topic") is None else identity(raw["of_topic"], "Choose a topic.")
    if of_topic is not None and of_topic not in (*catalog.topics, *catalog.removed_topics):
        raise BadValue("There is no such topic.")
    if mailing is not None and of_topic is not None:
        raise BadValue("Name one mailing, or the topic of several, not both.")
    link = None if raw.get("link") is None else _link(raw["link"], what, mailing, catalog)
    if op == "did_not" and raw.get("times") is not None:
        raise BadValue("Whoever did not do it did it no times. Ask “did” with “at most” instead.")
    times = Times() if raw.get("times") is None else values.times(raw["times"])
    clause = Engaged(what, op == "did", mailing, of_topic, last, times, link=link)
    when = raw.get("when")
    if when is None:
        return clause
    if not isinstance(when, dict) or len(when) != 1 or next(iter(when)) not in operators.WINDOWS:
        raise BadValue('"when" of a mailing is {"in_last": {"days": n}} or {"between": {"from": day, "to": day}}.')
    name, given = next(iter(when.items()))
    if name == "in_last":
        return Engaged(what, clause.did, mailing, of_topic, last, times, values.span(given), link=link)
    first, second = values.days(given)
    return Engaged(what, clause.did, mailing, of_topic, last, times, first=first, second=second, link=link)


def _link(raw: Any, what: str, mailing: UUID | None, catalog: Catalog) -> int:
    if what != "clicked" or mailing is None:
        raise BadValue("A link can be named where somebody clicked in one mailing.")
    links = len(catalog.mailings[mailing].links)
    if links == 0:
        raise BadValue("This mailing has no links.")
    return values.whole(raw, low=0, high=links - 1, what="the place of a link")


def sample(raw: dict[Any, Any], catalog: Catalog) -> Clause:
    """So many of a hundred, by chance."""
    only(raw, {"sample"})
    given = raw["sample"]
    if not isinstance(given, dict) or not set(given) <= {"percent", "seed"}:
        raise BadValue('A sample has the form {"percent": p, "seed": n}.')
    if given.get("percent") is None:
        raise BadValue("Enter how many of a hundred.", unfinished=True)
    percent = values.number(given["percent"])
    if not 0 < percent <= 100:
        raise BadValue("A sample is more than 0 and at most 100 percent.")
    seed = values.whole(given.get("seed", 0), low=0, high=sampling.MAX_SEED, what="the number of the lot")
    return Sample(percent, seed)


def only(raw: dict[Any, Any], allowed: set[str]) -> None:
    """Nothing else may stand in a condition."""
    extra = sorted(str(key) for key in raw if key not in allowed)
    if extra:
        raise BadValue(f"This condition has no part {shown(extra[0])}.")


def identity(raw: object, missing: str) -> UUID:
    """The id somebody wrote."""
    if raw in (None, ""):
        raise BadValue(missing, unfinished=True)
    try:
        return UUID(raw) if isinstance(raw, str) else _not_an_id()
    except ValueError:
        return _not_an_id()


def _not_an_id() -> UUID:
    raise BadValue("This is not an id.")


def _build(field: Field, op: Operator, raw: dict[Any, Any]) -> Clause:  # noqa: PLR0911  one case per form
    key, value = field.key, raw.get("value")
    if op.name in ("is_empty", "is_not_empty"):
        return Empty(key, op.name == "is_empty", coded=field.kind == "coded")
    if field.kind in ("date", "datetime"):
        return _date(field, op, raw)
    match op.takes:
        case Takes.TEXT:
            return TextIs(key, op.name, (values.pattern(value) if op.name in _PATTERNS else values.text(value),))
        case Takes.TEXTS:
            return TextIs(key, op.name, values.texts(value))
        case Takes.CHOICE:
            return TextIs(key, op.name, (values.choice(value, field),), exact=True)
        case Takes.CHOICES:
            return TextIs(key, op.name, values.choices(value, field), exact=True)
        case Takes.NUMBER:
            return NumberIs(key, op.name, values.number(value))
        case Takes.NUMBERS:
            return NumberIs(key, op.name, *values.numbers(value))
        case Takes.YES_NO:
            return YesNoIs(key, values.yes_no(value))
        case _:
            times = Times() if raw.get("times") is None else values.times(raw["times"])
            return _coded(key, op.name == "has", values.codes(value), raw.get("when", "ever"), times)


def _date(field: Field, op: Operator, raw: dict[Any, Any]) -> DateIs:  # noqa: PLR0911  one case per form
    key, moment, value = field.key, field.kind == "datetime", raw.get("value")
    zone = raw.get("zone", "organization")
    if not isinstance(zone, str) or zone not in operators.ZONES:
        raise BadValue("A date is asked by the zone of the “organization” or of the “contact”.")
    contact = zone == "contact"
    on: Day | None = None if raw.get("on") is None else values.day(raw["on"])
    match op.takes:
        case Takes.DAY:
            return DateIs(key, op.name, values.day(value), moment=moment, contact=contact)
        case Takes.DAYS:
            return DateIs(key, op.name, *values.days(value), moment=moment, contact=contact)
        case Takes.COUNT:
            return DateIs(key, op.name, span=values.span(value), moment=moment, contact=contact)
        case Takes.AGES:
            low, high = values.ages(value)
            return DateIs(key, op.name, on, low=low, high=high, moment=moment, contact=contact)
        case Takes.AGE if op.name == "age_at_least":
            return DateIs(key, op.name, on, low=values.age(value), moment=moment, contact=contact)
        case Takes.AGE:
            return DateIs(key, op.name, on, high=values.age(value), moment=moment, contact=contact)
        case Takes.WEEKDAYS:
            return DateIs(key, op.name, weekdays=values.weekdays(value), moment=moment, contact=contact)
        case _:
            return DateIs(key, op.name, moment=moment, contact=contact)


def _coded(key: str, has: bool, codes: tuple[str, ...], when: Any, times: Times) -> HasCode:
    name, given = (when, None) if isinstance(when, str) else (None, None)
    if isinstance(when, dict) and len(when) == 1:
        name, given = next(iter(when.items()))
    takes = operators.WHENS[name][1] if name in operators.WHENS else None
    if takes is None or (takes is Takes.NOTHING) != isinstance(when, str):
        known = ", ".join(f'"{n}"' if t is Takes.NOTHING else f'{{"{n}": …}}' for n, (_, t) in operators.WHENS.items())
        raise BadValue(f'"when" is one of {known}.')
    assert isinstance(name, str)
    if takes is Takes.COUNT:
        return HasCode(key, has, codes, name, values.span(given), times=times)
    if takes is Takes.DAYS:
        first, second = values.days(given)
        return HasCode(key, has, codes, name, first=first, second=second, times=times)
    return HasCode(key, has, codes, name, times=times)
