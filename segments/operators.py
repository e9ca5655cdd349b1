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
    DAY = "day"  # "YYYY-MM-DD" or {"days": n} counted from today
    DAYS = "days"  # {"from": day, "to": day}
    COUNT = "count"  # a number of days, 0 or more
    AGES = "ages"  # {"from", "to"} in whole years
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
    Operator("is_not", "is not", Takes.TEXT, "is not {0}"),
    Operator("one_of", "is one of", Takes.TEXTS, "is {0}"),
    Operator("not_one_of", "is none of", Takes.TEXTS, "is neither {0}"),
    Operator("contains", "contains", Takes.TEXT, "contains {0}"),
    Operator("does_not_contain", "does not contain", Takes.TEXT, "does not contain {0}"),
    Operator("starts_with", "starts with", Takes.TEXT, "starts with {0}"),
    Operator("ends_with", "ends with", Takes.TEXT, "ends with {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
NUMBER = (
    Operator("is", "is", Takes.NUMBER, "is {0}"),
    Operator("is_not", "is not", Takes.NUMBER, "is not {0}"),
    Operator("less_than", "is less than", Takes.NUMBER, "is less than {0}"),
    Operator("at_most", "is at most", Takes.NUMBER, "is at most {0}"),
    Operator("more_than", "is more than", Takes.NUMBER, "is more than {0}"),
    Operator("at_least", "is at least", Takes.NUMBER, "is at least {0}"),
    Operator("between", "is between", Takes.NUMBERS, "is between {0}"),
    IS_EMPTY,
    IS_NOT_EMPTY,
)
DATE = (
    Operator("in_last", "is in the last … days", Takes.COUNT, "is in the last {0}"),
    Operator("in_next", "is in the next … days", Takes.COUNT, "is in the next {0}"),
    Operator("days_ago", "was exactly … days ago", Takes.COUNT, "was exactly {0} ago"),
    Operator("days_ahead", "is exactly … days from now", Takes.COUNT, "is exactly {0} from now"),
    Operator("more_than_ago", "was more than … days ago", Takes.COUNT, "was more than {0} ago"),
    Operator("is", "is on", Takes.DAY, "is {0}"),
    Operator("before", "is before", Takes.DAY, "is before {0}"),
    Operator("after", "is after", Takes.DAY, "is after {0}"),
    Operator("between", "is between", Takes.DAYS, "is from {0}"),
    Operator("anniversary_in_next", "comes round (birthday) in the next … days", Takes.COUNT, "comes round within {0}"),
    Operator("age_between", "gives an age between", Takes.AGES, "gives an age of {0}"),
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
    Operator("not_one_of", "is none of", Takes.CHOICES, "is neither {0}"),
    Operator("is", "is", Takes.CHOICE, "is {0}"),
    Operator("is_not", "is not", Takes.CHOICE, "is not {0}"),
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


#: When an entry of a coded list must have been so: name → (label, whether it takes days, a span, or nothing).
WHENS: dict[str, tuple[str, Takes]] = {
    "ever": ("ever", Takes.NOTHING),
    "active": ("active today", Takes.NOTHING),
    "in_last": ("active in the last … days", Takes.COUNT),
    "started_in_last": ("started in the last … days", Takes.COUNT),
    "between": ("active between", Takes.DAYS),
}
TOPIC_STATES: dict[str, str] = {
    "opted_in": "opted in to",
    "opted_out": "opted out of",
    "no_choice": "made no choice on",
}
EVENTS: dict[str, str] = {"received": "received", "opened": "opened", "clicked": "clicked a link in"}
EVENTS_NOT: dict[str, str] = {"received": "receive", "opened": "open", "clicked": "click a link in"}
