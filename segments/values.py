"""Read what an operator is given. Each reader returns the value or raises BadValue with words for people."""

import math
import re
from datetime import date
from typing import Any, NoReturn

from segments import patterns
from segments.catalog import Field
from segments.operators import TIMES, WEEKDAYS
from segments.tree import MAX_PASTED, MAX_TEXT, MAX_TIMES, MAX_VALUES, UNITS, Ago, Day, Span, Times, Unit

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MAX_AGE = 150


class BadValue(Exception):
    """`unfinished`: nothing was filled in yet."""

    def __init__(self, message: str, *, unfinished: bool = False) -> None:
        super().__init__(message)
        self.unfinished = unfinished


def _missing(message: str) -> NoReturn:
    raise BadValue(message, unfinished=True)


def shown(text: object) -> str:
    """A value as a message may quote it: short, printable."""
    plain = "".join(c if c.isprintable() else "?" for c in str(text)[:41])
    return f"“{plain[:40]}…”" if len(plain) > 40 else f"“{plain}”"


def text(raw: Any) -> str:
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        _missing("Enter a text.")
    if not isinstance(raw, str):
        raise BadValue("This must be a text.")
    if len(raw) > MAX_TEXT:
        raise BadValue(f"This text is longer than {MAX_TEXT} characters.")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise BadValue("This text holds characters that cannot be stored.") from None
    if "\x00" in raw:
        raise BadValue("This text holds characters that cannot be stored.")
    return raw.strip()


def pattern(raw: Any) -> str:
    found = text(raw)
    try:
        patterns.compiled(found)
    except patterns.BadPattern as bad:
        raise BadValue(str(bad)) from None
    return found


def texts(raw: Any, most: int = MAX_PASTED) -> tuple[str, ...]:
    if raw is None or raw == []:
        _missing("Enter at least one value.")
    if not isinstance(raw, list):
        raise BadValue("This must be a list of texts.")
    if len(raw) > most:
        raise BadValue(f"This list has more than {most:,} values.")
    return tuple(dict.fromkeys(text(item) for item in raw))


def number(raw: Any) -> float:
    if raw is None:
        _missing("Enter a number.")
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise BadValue("This must be a number.")
    try:
        value = float(raw)
    except OverflowError:
        raise BadValue("This number is too large.") from None
    if not math.isfinite(value):
        raise BadValue("This must be a finite number.")
    return value


def whole(raw: Any, *, low: int, high: int, what: str) -> int:
    if raw is None:
        _missing(f"Enter {what}.")
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise BadValue(f"Enter {what} as a whole number.")
    if not low <= raw <= high:
        raise BadValue(f"Enter {what} from {low:,} to {high:,}.")
    return raw


def _of_unit(raw: Any, least: int) -> tuple[int, Unit]:
    """The number and the unit of {"months": n} and its like; `least` -1: it may be negative."""
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in UNITS:
        raise BadValue('A length of time has the form {"days": n}, {"weeks": n}, {"months": n} or {"years": n}.')
    unit: Unit = next(iter(raw))
    most = UNITS[unit]
    return whole(raw[unit], low=least * most, high=most, what=f"a number of {unit}"), unit


def span(raw: Any) -> Span:
    """A length of time, 0 or more of a unit."""
    if raw is None or raw == {}:
        _missing("Enter a length of time.")
    return Span(*_of_unit(raw, 0))


def times(raw: Any) -> Times:
    """{"at_least": n}, {"more_than": n} or {"at_most": n}."""
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in TIMES:
        raise BadValue('"times" has the form {"at_least": n}, {"more_than": n} or {"at_most": n}.')
    op, given = next(iter(raw.items()))
    return Times(op, whole(given, low=1 if op == "at_least" else 0, high=MAX_TIMES, what="how many times"))


def weekdays(raw: Any) -> tuple[int, ...]:
    if raw is None or raw == []:
        _missing("Choose at least one day of the week.")
    if not isinstance(raw, list) or not all(isinstance(name, str) and name in WEEKDAYS for name in raw):
        raise BadValue("Days of the week are: " + ", ".join(WEEKDAYS) + ".")
    return tuple(sorted({WEEKDAYS.index(name) for name in raw}))


def age(raw: Any) -> int:
    return whole(raw, low=0, high=MAX_AGE, what="an age in years")


def day(raw: Any) -> Day:
    """A date, or {"days": n} (weeks, months, years) counted from today."""
    if raw is None or raw in ("", {}):
        _missing("Choose a date.")
    if isinstance(raw, dict):
        count, unit = _of_unit(raw, -1)
        return Ago(count, unit if count else "days")
    if not isinstance(raw, str) or not _DAY.fullmatch(raw):
        raise BadValue("This must be a date in the form YYYY-MM-DD.")
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise BadValue(f"There is no such day as {shown(raw)}.") from None


def ends(raw: Any) -> tuple[Any, Any]:
    """The two ends of {"from": …, "to": …}."""
    if raw is None or raw == {}:
        _missing("Fill in both ends.")
    if not isinstance(raw, dict) or not set(raw) <= {"from", "to"}:
        raise BadValue('This must have the form {"from": …, "to": …}.')
    return raw.get("from"), raw.get("to")


def numbers(raw: Any) -> tuple[float, float]:
    low, high = (number(end) for end in ends(raw))
    if low > high:
        raise BadValue("The first number is greater than the second.")
    return low, high


def ages(raw: Any) -> tuple[int, int]:
    low, high = (age(end) for end in ends(raw))
    if low > high:
        raise BadValue("The first age is greater than the second.")
    return low, high


def days(raw: Any) -> tuple[Day, Day]:
    first, second = (day(end) for end in ends(raw))
    fixed = isinstance(first, date) and isinstance(second, date) and first > second
    relative = isinstance(first, Ago) and isinstance(second, Ago) and first.unit == second.unit
    if fixed or (relative and first.count > second.count):  # type: ignore[union-attr]
        raise BadValue("The first day is after the second.")
    return first, second


def yes_no(raw: Any) -> bool:
    if raw is None:
        _missing("Choose yes or no.")
    if not isinstance(raw, bool):
        raise BadValue("This must be yes or no (true or false).")
    return raw


def choice(raw: Any, field: Field) -> str:
    if raw is None or raw == "":
        _missing("Choose a value.")
    if not isinstance(raw, str) or raw not in field.choices:
        # Without the value: a kept rule may meet this in a task, whose errors are logged.
        raise BadValue(f"This is not one of the choices of {field.label}. Choose again.")
    return raw


def choices(raw: Any, field: Field) -> tuple[str, ...]:
    if raw is None or raw == []:
        _missing("Choose at least one value.")
    if not isinstance(raw, list):
        raise BadValue("This must be a list of choices.")
    if len(raw) > MAX_VALUES:
        raise BadValue(f"This list has more than {MAX_VALUES:,} values.")
    return tuple(dict.fromkeys(choice(item, field) for item in raw))


def codes(raw: Any) -> tuple[str, ...]:
    """Codes, upper case; a family ends with an asterisk ("E11.*")."""
    if raw is None or raw == []:
        _missing("Choose at least one code.")
    found = tuple(dict.fromkeys(code.upper() for code in texts(raw, MAX_VALUES)))
    for code in found:
        stem = code.removesuffix("*").rstrip(".")
        if not stem or "*" in stem:
            raise BadValue(
                f"{shown(code)} is not a code. A whole family is written with one asterisk at the end, like E11.*"
            )
    return found
