"""Which questions may be asked of which kind of attribute: one table for parser, schema, builder and sentence."""

from dataclasses import dataclass
from enum import Enum

from contacts.models import Kind


class Takes(Enum):
    """The form of what an operator is given (`value` in the rule)."""

    NOTHING = "nothing"
    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    NUMBERS = "numbers"  # {"from", "to"}
    DAY = "day"  # "YYYY-MM-DD" or {"days": n} (weeks, months, years) counted from today
    DAYS = "days"  # {"from": day, "to": day}
    COUNT = "count"  # a span: {"days": n}, {"weeks": n}, {"months": n} or {"years": n}, 0 or more
    AGES = "ages"  # {"from", "to"} in whole years
    AGE = "age"  # whole years
    WEEKDAYS = "weekdays"  # names of days of the week
    YES_NO = "yes_no"
    CHOICE = "choice"
    CHOICES = "choices"
    CODES = "codes"


@dataclass(frozen=True, slots=True)
class Operator:
    """`label` is what the builder offers; `says` is the sentence's words, {0} what was given."""

    name: str
    label: str
    takes: Takes
    says: str


IS_EMPTY = Operator("is_empty", "is empty", Takes.NOTHING, "is empty")
IS_NOT_EMPTY = Operator("is_not_empty", "is not empty", Takes.NOTHING, "is not empty")

TEXT = (
    Operator("is", "is", Takes.TEXT, "is {0}"),
    Operator("is_not", "is not", Takes.TEXT, "is known and not {0}"),
    Operator("one_of", "is one of", Takes.TEXTS, "is {0}"),
    Operator("not_one_of", "is none of", Takes.TEXTS, "is known and neither {0}"),
    Operator("contains", "contains", Takes.TEXT, "contains {0}"),
    Operator("does_not_contain", "does not contain", Takes.TEXT, "is known and does not contain {0}"),
    Operator("starts_with", "starts with", Takes.TEXT, "starts with {0}"),
    Operator("ends_with", "ends with", Takes.TEXT, "ends with {0}"),
    Operator("matches", "matches the pattern", Takes.TEXT, "matches the pattern {0}"),
    Operator("does_not_match", "does not match the pattern", Takes.TEXT, "is known and does not match the pattern {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
NUMBER = (
    Operator("is", "is", Takes.NUMBER, "is {0}"),
    Operator("is_not", "is not", Takes.NUMBER, "is known and not {0}"),
    Operator("less_than", "is less than", Takes.NUMBER, "is less than {0}"),
    Operator("at_most", "is at most", Takes.NUMBER, "is at most {0}"),
    Operator("more_than", "is more than", Takes.NUMBER, "is more than {0}"),
    Operator("at_least", "is at least", Takes.NUMBER, "is at least {0}"),
    Operator("between", "is between", Takes.NUMBERS, "is between {0}"),
    Operator("not_between", "is not between", Takes.NUMBERS, "is known and not between {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
DATE = (
    Operator("in_last", "is in the last …", Takes.COUNT, "is in the last {0}"),
    Operator("in_next", "is in the next …", Takes.COUNT, "is in the next {0}"),
    Operator("ago", "was exactly … ago", Takes.COUNT, "was exactly {0} ago"),
    Operator("ahead", "is exactly … from now", Takes.COUNT, "is exactly {0} from now"),
    Operator("more_than_ago", "was more than … ago", Takes.COUNT, "was more than {0} ago"),
    Operator("more_than_ahead", "is more than … from now", Takes.COUNT, "is more than {0} from now"),
    Operator("is", "is on", Takes.DAY, "is {0}"),
    Operator("before", "is before", Takes.DAY, "is before {0}"),
    Operator("after", "is after", Takes.DAY, "is after {0}"),
    Operator("between", "is between", Takes.DAYS, "is from {0}"),
    Operator("birthday_in_next", "comes round (birthday) in the next …", Takes.COUNT, "comes round within {0}"),
    Operator("birthday_this_month", "comes round (birthday) this month", Takes.NOTHING, "comes round this month"),
    Operator("age_between", "gives an age between", Takes.AGES, "gives an age of {0}"),
    Operator("age_at_least", "gives an age of at least", Takes.AGE, "gives an age of at least {0}"),
    Operator("age_at_most", "gives an age of at most", Takes.AGE, "gives an age of at most {0}"),
    Operator("weekday", "is on a day of the week", Takes.WEEKDAYS, "is on a {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
BOOLEAN = (
    Operator("is", "is", Takes.YES_NO, "is {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
CHOICE = (
    Operator("one_of", "is one of", Takes.CHOICES, "is {0}"),
    Operator("not_one_of", "is none of", Takes.CHOICES, "is known and neither {0}"),
    Operator("is", "is", Takes.CHOICE, "is {0}"),
    Operator("is_not", "is not", Takes.CHOICE, "is known and not {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
CODED = (
    Operator("has", "has any of", Takes.CODES, "has {0}"),
    Operator("has_none", "has none of", Takes.CODES, "has no {0}"),
    Operator("is_empty", "has no entry", Takes.NOTHING, "has no entry"),
    Operator("is_not_empty", "has an entry", Takes.NOTHING, "has an entry"),
)

BY_KIND: dict[str, tuple[Operator, ...]] = {
    Kind.TEXT: TEXT,
    Kind.NUMBER: NUMBER,
    Kind.DATE: DATE,
    Kind.DATETIME: DATE,
    Kind.BOOLEAN: BOOLEAN,
    Kind.CHOICE: CHOICE,
    Kind.CODED: CODED,
}


def operator(kind: str, name: object) -> Operator | None:
    """The operator of that name for that kind of attribute, if there is one."""
    return next((op for op in BY_KIND[kind] if op.name == name), None)


def parts(kind: str, op: Operator) -> frozenset[str]:
    """What may stand in such a condition beside its attribute and operator."""
    found = set() if op.takes is Takes.NOTHING else {"value"}
    if kind in (Kind.DATE, Kind.DATETIME) and op not in (IS_EMPTY, IS_NOT_EMPTY):
        found.add("zone")
    if op.name in AGES:
        found.add("on")
    if op.takes is Takes.CODES:
        found |= {"when", "times"} if op.name == "has" else {"when"}
    return frozenset(found)


#: When an entry of a coded list must have been so: name → (label, whether it takes a span, days, or nothing).
WHENS: dict[str, tuple[str, Takes]] = {
    "ever": ("ever", Takes.NOTHING),
    "active": ("active today", Takes.NOTHING),
    "in_last": ("active in the last …", Takes.COUNT),
    "started_in_last": ("started in the last …", Takes.COUNT),
    "ended_in_last": ("ended in the last …", Takes.COUNT),
    "between": ("active between", Takes.DAYS),
}
#: How many entries, or how often something happened.
TIMES: dict[str, str] = {"at_least": "at least", "more_than": "more than", "at_most": "at most"}
UNITS: dict[str, str] = {"days": "days", "weeks": "weeks", "months": "months", "years": "years"}
#: Whose today and whose local day a question about a date is asked by.
ZONES: dict[str, str] = {"organization": "where we are", "contact": "where the person is"}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AGES = frozenset({"age_between", "age_at_least", "age_at_most"})
TOPIC_STATES: dict[str, str] = {
    "opted_in": "opted in to",
    "opted_out": "opted out of",
    "no_choice": "made no choice on",
}
EVENTS: dict[str, str] = {"received": "received", "opened": "opened", "clicked": "clicked a link in"}
EVENTS_NOT: dict[str, str] = {"received": "receive", "opened": "open", "clicked": "click a link in"}
#: When it happened; no window: ever.
WINDOWS: dict[str, tuple[str, Takes]] = {"in_last": ("in the last …", Takes.COUNT), "between": ("between", Takes.DAYS)}
SEGMENT: dict[str, str] = {"in": "is in", "not_in": "is not in"}
