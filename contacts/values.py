"""Values of attributes: from what people type to the stored form, and back to what people read. Pure.

Stored forms: text and choice `str` · number `int | float` · date "YYYY-MM-DD" · date-time ISO 8601 in UTC with "Z" ·
yes/no `bool`. A missing value is a missing key. No message repeats a value: it may be health information.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Protocol
from zoneinfo import available_timezones

from contacts import addresses
from contacts.errors import BadValue

Value = str | int | float | bool

#: Longest text value, in characters.
MAX_TEXT = 4_000
MAX_EXTERNAL_ID = 200

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_INTEGER = re.compile(r"[+-]?\d{1,18}\Z")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\Z")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,(?:\d{1,2}|\d{4,})\Z")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?\Z", re.DOTALL)
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})\Z")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\Z")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")
_YES = frozenset({"yes", "y", "true", "t", "1", "on", "x", "ja", "sí", "si", "oui"})
_NO = frozenset({"no", "n", "false", "f", "0", "off", "nein", "non"})
#: What files say for the built-in choice of sex.
_SEX = {"f": "female", "w": "female", "m": "male", "o": "other", "x": "other", "u": "unknown", "unk": "unknown"}
_LANGUAGES = {
    **{"english": "en", "spanish": "es", "french": "fr", "german": "de", "chinese": "zh", "vietnamese": "vi"},
    **{"arabic": "ar", "russian": "ru", "korean": "ko", "portuguese": "pt", "tagalog": "tl", "polish": "pl"},
}


class AttributeLike(Protocol):
    """What parsing needs to know of a definition."""

    @property
    def key(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def choices(self) -> list[str]: ...
    @property
    def built_in(self) -> bool: ...


def parse(kind: str, text: str, attribute: AttributeLike | None = None, *, day_first: bool = False) -> Value:
    """The stored form of a typed or imported text. Raises BadValue; empty text is no value and is refused too.

    `day_first` says what 03/04/2026 means: 3 April if true, 4 March if not.
    """
    if len(text) > MAX_TEXT:
        raise BadValue(f"longer than {MAX_TEXT:,} characters")
    if not text.isprintable() and _CONTROL.search(text):
        raise BadValue("holds control characters")
    text = text.strip()
    if not text:
        raise BadValue("empty")
    if kind == "date":
        return parse_date(text, day_first=day_first)
    if kind == "text" and attribute is not None and attribute.built_in:
        return _BUILT_IN.get(attribute.key, _one_line)(text)
    if kind == "choice":
        return _choice(text, attribute)
    return _PARSERS[kind](text)


def accept(attribute: AttributeLike, raw: object) -> Value:
    """The stored form of a value that came as text or already typed (API, forms). Raises BadValue."""
    kind = attribute.kind
    if isinstance(raw, str):
        return parse(kind, raw, attribute)
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind == "number" and isinstance(raw, int | float) and not isinstance(raw, bool):
        return _finite(raw)
    if kind == "datetime" and isinstance(raw, datetime):
        return _utc(raw)
    if kind == "date" and isinstance(raw, date):
        return raw.isoformat()
    raise BadValue(_EXPECTED.get(kind, "not a single value"))


def parse_date(text: str, *, day_first: bool = False) -> str:
    """ "YYYY-MM-DD" from ISO dates and date-times, 04/30/1961, 30.04.1961 and 19610430."""
    if found := _ISO_DATE.match(text) or _COMPACT.match(text):
        year, month, day = map(int, found.groups())
    elif found := _DOTTED.match(text):
        day, month, year = map(int, found.groups())
    elif found := _SLASHED.match(text):
        one, two, year = map(int, found.groups())
        day, month = (one, two) if day_first else (two, one)
    else:
        raise BadValue("not a date: use YYYY-MM-DD")
    if not 1800 <= year <= 2200:
        raise BadValue("not a date between 1800 and 2200")
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise BadValue("not a day of the calendar: use YYYY-MM-DD") from None


def display(attribute: AttributeLike, value: object) -> str:
    """How a person reads a stored value."""
    if value is None or value == "":
        return ""
    if attribute.kind == "boolean":
        return "Yes" if value else "No"
    if attribute.kind == "datetime":
        return f"{str(value)[:16].replace('T', ' ')} UTC"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def masked(attribute: AttributeLike, value: object) -> str:
    """Enough to recognise a value one knows, too little to learn one."""
    if value is None or value == "":
        return ""
    text = str(value)
    if attribute.key == "email":
        local, _, domain = text.rpartition("@")
        last = local[-1:] if len(local) > 4 else ""
        return f"{local[:1]}•••{last}@{domain[:1]}•••.{domain.rpartition('.')[2]}"
    if attribute.key in ("first_name", "last_name"):
        return f"{text[:1]}•••"
    if attribute.key == "external_id":
        return f"•••{text[-2:]}" if len(text) > 6 else "•••"
    return "•••"


def _text(text: str) -> str:
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _external_id(text: str) -> str:
    if len(text) > MAX_EXTERNAL_ID:
        raise BadValue(f"longer than {MAX_EXTERNAL_ID} characters")
    return _one_line(text)


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _time_zone(text: str) -> str:
    if (zone := _zones().get(text.lower())) is None:
        raise BadValue("not a time zone: use a name like America/New_York")
    return zone


def _language(text: str) -> str:
    text = _LANGUAGES.get(text.lower(), text)
    if not _LANGUAGE.match(text):
        raise BadValue("not a language: use a code like en or es-MX")
    return text.replace("_", "-")


def _choice(text: str, attribute: AttributeLike | None) -> str:
    choices = attribute.choices if attribute is not None else []
    if text in choices:
        return text
    wanted = text.casefold()
    if attribute is not None and attribute.built_in and attribute.key == "sex":
        wanted = _SEX.get(wanted, wanted)
    for choice in choices:
        if choice.casefold() == wanted:
            return choice
    raise BadValue("not one of the choices of this attribute")


def _finite(number: int | float) -> int | float:
    if not math.isfinite(number) or abs(number) >= 2**63:
        raise BadValue("not a number in the range we can keep")
    return number


def _number(text: str) -> int | float:
    if _INTEGER.match(text):
        return int(text)
    if _THOUSANDS.match(text):
        text = text.replace(",", "")
    elif _DECIMAL_COMMA.match(text):
        text = text.replace(",", ".")
    if not _DECIMAL.match(text):
        raise BadValue("not a number")
    number = float(text)
    return _finite(int(text) if _INTEGER.match(text) else number)


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise BadValue("not a date between 1800 and 2200") from None


def _datetime(text: str) -> str:
    if not _ISO_DATE.match(text):
        raise BadValue("not a date and time: use YYYY-MM-DD HH:MM")
    parse_date(text)
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        raise BadValue("not a date and time: use YYYY-MM-DD HH:MM") from None


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadValue("not yes or no")


def _coded(text: str) -> Value:
    raise BadValue("a coded list, not a single value")


_PARSERS: dict[str, Callable[[str], Value]] = {
    "text": _text,
    "number": _number,
    "datetime": _datetime,
    "boolean": _boolean,
    "coded": _coded,
}
_BUILT_IN: dict[str, Callable[[str], Value]] = {
    "email": addresses.clean,
    "external_id": _external_id,
    "time_zone": _time_zone,
    "language": _language,
}
_EXPECTED = {
    "text": "not a text",
    "choice": "not a text",
    "number": "not a number",
    "date": "not a date: use YYYY-MM-DD",
    "datetime": "not a date and time: use YYYY-MM-DD HH:MM",
    "boolean": "not yes or no",
    "coded": "a coded list, not a single value",
}
