"""Synthetic people for previews and test sends (SND-07): nobody real is ever shown or written to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contacts.models import Attribute, Kind
from contacts.records import Coded


@dataclass(frozen=True, slots=True)
class Persona:
    key: str
    label: str
    values: dict[str, Any]


NAMES: dict[str, tuple[str, str, str]] = {
    "typical": ("Typical person", "Maria", "Jensen"),
    "missing": ("Only an address, nothing else known", "", ""),
    "longest": (
        "The longest name",
        "Karl-Theodor Maximilian",
        "Freiherr von Donaudampfschifffahrtsgesellschaftskapitän",
    ),
    "rtl": ("Right-to-left script", "عبد الرحمن", "الأنصاري"),
    "markup": ("A name that looks like code", "<b>Bobby</b>", "O’Tables & {{ 7 }}"),
}


def personas(attributes: Iterable[Attribute]) -> list[Persona]:
    """One person per worst case, with a value for every attribute of that kind."""
    attributes = list(attributes)
    return [_persona(key, label, first, last, attributes) for key, (label, first, last) in NAMES.items()]


def _persona(key: str, label: str, first: str, last: str, attributes: list[Attribute]) -> Persona:
    values: dict[str, Any] = {"email": f"{key}@persona.example"}
    if key != "missing":
        values |= {a.key: _example(a, long=key == "longest") for a in attributes if a.key not in values}
        known = {a.key for a in attributes}
        values |= {k: v for k, v in (("first_name", first), ("last_name", last)) if k in known}
    return Persona(key, label, values)


def _example(attribute: Attribute, *, long: bool) -> Any:  # noqa: PLR0911 -- one for each kind
    match attribute.kind:
        case Kind.NUMBER:
            return 1_234_567.89 if long else 42
        case Kind.DATE:
            return "1984-02-29"
        case Kind.DATETIME:
            return "2026-12-03T15:30:00Z"
        case Kind.BOOLEAN:
            return True
        case Kind.CHOICE:
            return max(attribute.choices, key=len) if long and attribute.choices else next(iter(attribute.choices), "")
        case Kind.CODED:
            entry = Coded("Z00.0", "Example entry", "2026-03-01")
            return [entry, Coded("Z00.1", "Another, with a rather long description of it", "2025-11-20")] * (
                3 if long else 1
            )
        case _:
            return "Example text " * 8 if long else f"{attribute.label} (example)"
