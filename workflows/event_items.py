"""What an event in a request must look like. Pure: nothing about it is believed, and no message repeats a value."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

#: Items of one call.
MOST = 1_000
MAX_TEXT, MAX_NAME, MAX_KEY = 2_000, 50, 200
#: Clocks of others may be so much ahead of ours.
AHEAD = timedelta(minutes=5)
_FIELDS = frozenset({"event", "person", "key", "at", "properties", "id"})
_PERSON = ("id", "external_id", "email")


class Refused(Exception):
    """Why an item is not taken, in words."""


class Item(NamedTuple):
    """One event as it was sent. `person`: which of _PERSON, and its value."""

    event: str
    person: tuple[str, str]
    key: str | None
    at: datetime | None
    properties: Mapping[str, Any]
    id: str | None


def read(raw: object) -> Item:
    """Raises Refused."""
    if not isinstance(raw, dict):
        raise Refused("An event is an object with event, person and properties.")
    if unknown := sorted(str(name) for name in raw if name not in _FIELDS):
        raise Refused(f"“{unknown[0][:MAX_NAME]}” is no field of an event. Give {', '.join(sorted(_FIELDS))}.")
    properties = raw.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise Refused("properties has to be an object.")
    return Item(
        _text(raw.get("event"), "event", MAX_NAME) or _missing("event: the name of a declared event"),
        person(raw.get("person")),
        _key(raw.get("key")),
        _at(raw.get("at")),
        properties or {},
        _text(raw.get("id"), "id", MAX_KEY),
    )


def _missing(what: str) -> str:
    raise Refused(f"Give {what}.")


def _text(value: object, name: str, most: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise Refused(f"{name} has to be a text of at most {most} characters.")
    return value.strip()


def _key(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    return _text(value, "key", MAX_KEY)


def person(value: object) -> tuple[str, str]:
    """Who is meant, by exactly one of id, external_id and email. Raises Refused."""
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _PERSON:
        raise Refused("Say who by one of person.id, person.external_id and person.email.")
    ((name, said),) = value.items()
    text = _text(said, f"person.{name}", 320) or _missing(f"person.{name}")
    if name == "id":
        try:
            return name, str(UUID(text))
        except ValueError:
            raise Refused("person.id has to be the id of a contact.") from None
    return name, text


def _at(value: object) -> datetime | None:
    if value is None:
        return None
    moment = _moment(value)
    if moment is None:
        raise Refused("at has to be a date and time with its offset: 2026-11-22T10:00:00Z.")
    return moment


def moment(at: datetime | None, now: datetime, *, keep: timedelta) -> datetime:
    """When it happened, at the latest now. Raises Refused."""
    if at is None:
        return now
    if at > now + AHEAD:
        raise Refused("at lies in the future. Send an event once it has happened.")
    if at < now - keep:
        raise Refused("at lies longer ago than events are kept.")
    return min(at, now)


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and len(value) > 10 else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def properties(given: Mapping[str, Any], declared: Mapping[str, str]) -> dict[str, Any]:
    """The properties as they are kept; null is as if left out. Raises Refused."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        kind = declared.get(name)
        if kind is None:
            raise Refused(f"This event has no property “{name[:MAX_NAME]}”. Declare it first, or leave it out.")
        if value is None:
            continue
        typed = _typed(value, kind)
        if typed is None:
            raise Refused(f"“{name[:MAX_NAME]}” {_EXPECTED[kind]}")
        found[name] = typed
    return found


_EXPECTED = {
    "text": f"has to be a text of at most {MAX_TEXT} characters.",
    "number": "has to be a number.",
    "yes_no": "has to be true or false.",
    "date": "has to be a date: 2026-11-22.",
    "datetime": "has to be a date and time with its offset: 2026-11-22T10:00:00Z.",
}


def _typed(value: object, kind: str) -> Any:  # noqa: PLR0911  one case a kind
    """The value as it is kept; None where it is not of its kind."""
    match kind:
        case "text":
            return value if isinstance(value, str) and len(value) <= MAX_TEXT else None
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            return value if abs(value) < 2**63 else None  # nor is NaN
        case "yes_no":
            return value if isinstance(value, bool) else None
        case "date":
            return value if _is_day(value) else None
        case "datetime":
            found = _moment(value)
            return None if found is None else found.isoformat().replace("+00:00", "Z")
    return None


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
