"""Values of attributes and of an event's properties in a form: a box each where they can be named, else a line each."""

from typing import Any

from django import forms

from contacts import values
from contacts.errors import BadValue
from contacts.models import Attribute, Kind
from workflows.language.definition import Value

#: Kinds of an event's properties as those of attributes.
KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "yes_no": Kind.BOOLEAN, "date": Kind.DATE, "datetime": Kind.DATETIME}
#: Stands for the end of a line within one value, and for a text without letters.
LINE_END, EMPTY = "⏎", '""'
MAX_CODE = 100
_HINTS = {
    Kind.DATE: "2026-12-01, one on each line",
    Kind.DATETIME: "2026-12-01T10:00Z, one on each line",
    Kind.CODED: "One code on each line",
}


def several(label: str, kind: str, known: Attribute | None, held: tuple[Value, ...] = ()) -> forms.Field:
    """A field for any number of values of that kind; what was `held` can be left in, whatever it is."""
    if kind in (Kind.CHOICE, Kind.BOOLEAN):
        return forms.MultipleChoiceField(
            label=label, choices=_boxes(kind, known, held), required=False, widget=forms.CheckboxSelectMultiple
        )
    widget = forms.Textarea(attrs={"rows": 2, "placeholder": _HINTS.get(Kind(kind), "One on each line")})
    return forms.CharField(label=label, required=False, widget=widget, max_length=1_000_000)


def single(label: str, kind: str, known: Attribute, held: Value = None) -> forms.Field | None:
    """A field for one value of that kind; None where a kind has no single value."""
    match kind:
        case Kind.CODED:
            return None
        case Kind.CHOICE | Kind.BOOLEAN:
            boxes = _boxes(kind, known, () if held is None else (held,))
            return forms.ChoiceField(label=label, choices=[("", "Choose…"), *boxes], required=False)
        case Kind.DATE:
            return forms.CharField(label=label, required=False, widget=forms.TextInput(attrs={"type": "date"}))
        case Kind.DATETIME:
            moment = forms.TextInput(attrs={"type": "datetime-local"})
            return forms.CharField(label=label, required=False, widget=moment, help_text="In UTC.")
        case Kind.NUMBER:
            decimal = forms.TextInput(attrs={"inputmode": "decimal"})
            return forms.CharField(label=label, required=False, widget=decimal)
    widget = forms.TextInput() if known.built_in else forms.Textarea(attrs={"rows": 2})
    return forms.CharField(label=label, required=False, max_length=values.MAX_TEXT, widget=widget)


def _boxes(kind: str, known: Attribute | None, held: tuple[Value, ...]) -> list[tuple[str, str]]:
    found = ["yes", "no"] if kind == Kind.BOOLEAN else list(known.choices if known else [])
    gone = dict.fromkeys(line(value) for value in held if value is not None and line(value) not in found)
    return [(one, one) for one in found] + [(one, f"{one} (no longer a choice)") for one in gone]


def line(value: Value) -> str:
    """One stored value as it stands on a line of its own."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case str():
            return " ".join(value.replace("\r\n", "\n").replace("\n", LINE_END).split(" ")).strip() or EMPTY
    return "" if value is None else str(value)


def shown(kind: str, stored: tuple[Value, ...]) -> Any:
    """Stored values as the field of several shows them."""
    lines = [line(value) for value in stored if value is not None]
    return lines if kind in (Kind.CHOICE, Kind.BOOLEAN) else "\n".join(lines)


def shown_single(kind: str, value: Value) -> str:
    """A stored value as the field of one shows it."""
    if kind == Kind.DATETIME:
        return str(value or "").removesuffix("Z").removesuffix(":00")
    return value if isinstance(value, str) else line(value)


def read(kind: str, known: Attribute | None, typed: Any, held: tuple[Value, ...] = ()) -> tuple[Value, ...]:
    """What stands in a field of several values, in stored form; what was held already is taken as it is.

    Raises BadValue.
    """
    if not typed:
        return ()
    lines = typed if isinstance(typed, list) else [one.strip() for one in str(typed).split("\n") if one.strip()]
    kept: dict[str, list[Value]] = {}
    for value in held:
        kept.setdefault(line(value), []).append(value)
    return tuple(kept[one].pop(0) if kept.get(one) else _parsed(kind, known, one) for one in lines)


def read_single(kind: str, known: Attribute, typed: str, held: Value = None) -> Value:
    """What stands in a field of one value. Raises BadValue."""
    return held if held is not None and typed == shown_single(kind, held) else values.parse(kind, typed, known)


def _parsed(kind: str, known: Attribute | None, text: str) -> Value:
    if kind == Kind.CODED:
        if len(text) > MAX_CODE:
            raise BadValue(f"a code is longer than {MAX_CODE} characters")
        return text.upper()
    if known is None and kind == Kind.TEXT:
        return "" if text == EMPTY else text.replace(LINE_END, "\n")
    return values.parse(kind, text.replace(LINE_END, "\n"), known)
