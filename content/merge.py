"""From what a record holds to what a reader sees: the values of merge tags."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from contacts.models import Attribute, Kind
from contacts.records import Coded


class MergeDate(date):
    """A date that reads as people write it; `|date("%d.%m.%Y")` for another form."""

    def __str__(self) -> str:
        return f"{self:%B} {self.day}, {self.year}"


class MergeDateTime(datetime):
    def __str__(self) -> str:
        return f"{self:%A, %B} {self.day}, {self.year} at {self:%I:%M %p}".replace(" at 0", " at ")


def date_filter(value: date | None, form: str = "") -> str:
    """`{{ birth_date|date("%d %B") }}`; without a form, the usual one."""
    if not isinstance(value, date):
        return str(value)
    return value.strftime(form) if form else str(value)


def merge_value(kind: str, value: Any, zone: ZoneInfo) -> Any:
    """One stored value in the form a template prints. Unknown forms come back unchanged."""
    match kind:
        case Kind.DATE:
            return MergeDate.fromisoformat(value)
        case Kind.DATETIME:
            return MergeDateTime.fromisoformat(value.replace("Z", "+00:00")).astimezone(zone)
        case Kind.BOOLEAN:
            return "yes" if value else ""
        case Kind.NUMBER:
            return int(value) if float(value).is_integer() else value
        case Kind.CODED:
            return [_coded(item) for item in value]
        case _:
            return value


def _coded(item: Coded | Iterable[Any]) -> dict[str, Any]:
    entry = item if isinstance(item, Coded) else Coded(*item)
    return {
        "code": entry.code,
        "name": entry.display or entry.code,
        "start": MergeDate.fromisoformat(entry.start[:10]) if entry.start else "",
        "stop": MergeDate.fromisoformat(entry.stop[:10]) if entry.stop else "",
    }


def context_for(values: Mapping[str, Any], attributes: Mapping[str, Attribute], zone: ZoneInfo) -> dict[str, Any]:
    """The template's context: only what this person has, so that what is missing is noticed."""
    return {
        key: merge_value(attributes[key].kind, value, zone)
        for key, value in values.items()
        if key in attributes and value not in (None, "", [])
    }
