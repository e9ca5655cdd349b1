"""Forms of steps in plain language: from a step to fields and back. Groups of kinds are in forms_*.py."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
from django import forms
from django.forms.boundfield import BoundField
from django.utils.datastructures import MultiValueDict

from contacts import values
from contacts.errors import BadValue
from contacts.models import Attribute, Kind
from workflows.errors import Problem
from workflows.language.definition import AnyStep, Span, Value, ways_out
from workflows.offers import Choices, Offers

S = TypeVar("S", bound=msgspec.Struct)

UNITS: Choices = [("days", "days"), ("weeks", "weeks"), ("hours", "hours"), ("minutes", "minutes")]
#: The most of each unit: five years.
MOST = {"minutes": 2_600_000, "hours": 43_000, "days": 1_825, "weeks": 260}
#: Kinds of an event's properties as those of attributes.
KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "yes_no": Kind.BOOLEAN, "date": Kind.DATE, "datetime": Kind.DATETIME}

Layout = tuple[str | tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a panel: its name, whether its fields stand side by side, and each with what the checks say of it."""

    key: str
    beside: bool
    fields: list[tuple[BoundField, list[Problem]]]


class PanelForm(forms.Form):
    """Fields that follow from what is chosen in others. `now` reads what stands in a field, typed or given.

    `layout`: names of fields in order; those in one tuple stand in one row. Fields that are not there are left out.
    """

    layout: ClassVar[Layout] = ()
    #: Fields that the panel draws by itself, and what the checks say of them with them.
    apart: ClassVar[frozenset[str]] = frozenset()
    #: What a check calls it → field of this form.
    named: ClassVar[Mapping[str, str]] = {}
    #: Field → beginnings of the names of those that are drawn for what is chosen in it: chosen anew, they start empty.
    drawn_for: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    use_required_attribute = False

    def __init__(self, data: Mapping[str, Any] | None, *, offers: Offers, given: dict[str, Any]) -> None:
        super().__init__(self._fitting(data), initial=given, auto_id="panel-%s")
        self.offers = offers
        #: What is still to be chosen before anything can be kept; "" when nothing is.
        self.waits = ""
        #: What the checks say of the saved step, by field.
        self.problems: dict[str, list[Problem]] = {}
        self.build()

    def _fitting(self, data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """What was typed, without what was typed for another choice than the one that stands."""
        if data is None:
            return None
        gone = tuple(
            name
            for chooser, names in self.drawn_for.items()
            if f"drawn-{chooser}" in data and data[f"drawn-{chooser}"] != data.get(chooser, "")
            for name in names
        )
        if not gone:
            return data
        return MultiValueDict({key: _list(data, key) for key in data if not key.startswith(gone)})

    def drawn(self) -> list[tuple[str, str]]:
        """For which choices the fields were drawn, to be sent along with them."""
        return [(f"drawn-{chooser}", str(self.now(chooser) or "")) for chooser in self.drawn_for]

    def asked(self) -> str:
        """The names of the fields that are drawn, to be sent along with them."""
        return " ".join(self.fields)

    def _post_clean(self) -> None:
        """What was not asked for yet is waited for, and no mistake."""
        super()._post_clean()  # type: ignore[misc]
        for name in [name for name in self.errors if "asked" in self.data and name not in self.data["asked"].split()]:
            del self.errors[name]
            self.waits = self.waits or "Not kept yet: go on with what is asked for now."

    def build(self) -> None:
        """Add the fields that hang on what is chosen."""

    def now(self, name: str) -> Any:
        if self.is_bound:
            return self.data.get(name, "")
        return self.initial.get(name, "")

    def order(self) -> Layout:
        return self.layout

    def rows(self) -> list[Row]:
        """The fields as they are drawn."""
        found = []
        for row in self.order():
            names = (row,) if isinstance(row, str) else row
            fields = [(self[name], self.problems.get(name, [])) for name in names if name in self.fields]
            if fields:
                found.append(Row(names[0], not isinstance(row, str), fields))
        return found

    def elsewhere(self) -> list[Problem]:
        """What the checks say that belongs to none of the fields drawn."""
        drawn = {name for row in self.order() for name in ((row,) if isinstance(row, str) else row)}
        seen = (drawn & set(self.fields)) | self.apart
        return [problem for name, found in self.problems.items() if name not in seen for problem in found]

    def blame(self, problems: Iterable[Problem]) -> None:
        """Lay what the checks say beside the fields it is about."""
        for problem in problems:
            field = problem.field.partition(".")[0].partition("[")[0]
            self.problems.setdefault(self.named.get(problem.field) or self.named.get(field) or field, []).append(
                problem
            )

    def refuse(self, name: str, problem: BadValue | str) -> None:
        text = str(problem)
        self.add_error(name if name in self.fields else None, f"{text[:1].upper()}{text[1:]}")


class StepForm(PanelForm):
    """The form of one step: `step` as it stands; `made` gives it as the form has it, once valid."""

    #: What the panel says below its title.
    about: ClassVar[str] = ""
    name = forms.CharField(required=False, max_length=80, label="Name of this step")

    def __init__(self, data: Mapping[str, Any] | None, *, step: Any, offers: Offers) -> None:
        self.step, self.offers = step, offers
        super().__init__(data, offers=offers, given={"name": step.name, **self.given(step)})

    def given(self, step: Any) -> dict[str, Any]:
        """What the fields show of a step."""
        return {}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        """What of the step the form says."""
        return {}

    def made(self) -> AnyStep:
        """The step as the form has it; ways out that it no longer has are gone."""
        step: AnyStep = change(
            self.step, name=" ".join(self.cleaned_data["name"].split()), **self.changes(self.cleaned_data)
        )
        ways = ways_out(step)
        return change(step, exits={way: to for way, to in step.exits.items() if way in ways})


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    if isinstance(data, MultiValueDict):
        return list(data.getlist(key))
    return [data[key]]


def change(struct: S, **changes: Any) -> S:
    return msgspec.structs.replace(struct, **changes)


# Small fields


def pick(label: str, choices: Choices, *, required: bool = False, help: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=required, help_text=help)


def whole(label: str, *, low: int = 0, high: int = 1_825, required: bool = True) -> forms.IntegerField:
    widget = forms.TextInput(attrs={"inputmode": "numeric", "class": "short"})
    return forms.IntegerField(
        label=label,
        min_value=low,
        max_value=high,
        required=required,
        widget=widget,
        error_messages={"required": "Enter a number.", "invalid": "Enter a whole number."},
    )


def clock_time(label: str, *, required: bool, help: str = "") -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=required,
        help_text=help,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"required": "Enter a time, as 10:00.", "invalid": "Enter a time, as 10:00."},
    )


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# Lengths of time: one number and its unit


def span_of(struct: Span) -> dict[str, Any]:
    """The number and the unit that say it; several units become the smallest of them."""
    minutes = ((struct.weeks * 7 + struct.days) * 24 + struct.hours) * 60 + struct.minutes
    if struct.minutes:
        return {"count": minutes, "unit": "minutes"}
    if struct.hours:
        return {"count": minutes // 60, "unit": "hours"}
    if struct.weeks and not struct.days:
        return {"count": struct.weeks, "unit": "weeks"}
    return {"count": struct.weeks * 7 + struct.days, "unit": "days"}


def span_fields(label: str) -> dict[str, forms.Field]:
    return {"count": whole(label, high=max(MOST.values())), "unit": pick("Unit", UNITS, required=True)}


def span_from(typed: dict[str, Any]) -> Span:
    return Span(**{typed["unit"]: typed["count"]})


# Values, by the kind of what has them


def value_field(  # noqa: PLR0911  one case a kind
    label: str, kind: str, known: Attribute | None, *, several: bool, required: bool = False
) -> forms.Field | None:
    """A field for one value (or for several of them) of that kind; None where a kind has no single value."""
    match kind:
        case Kind.CODED:
            if not several:
                return None
            widget = forms.Textarea(attrs={"rows": 2, "placeholder": "One code on each line"})
            return forms.CharField(label=label, required=required, widget=widget, max_length=8_000)
        case Kind.CHOICE:
            offered = [(choice, choice) for choice in (known.choices if known else [])]
            if several:
                return forms.MultipleChoiceField(
                    label=label, choices=offered, required=required, widget=forms.CheckboxSelectMultiple
                )
            return forms.ChoiceField(label=label, choices=[("", "Choose…"), *offered], required=required)
        case Kind.BOOLEAN:
            first = "whatever" if several else "Choose…"
            return forms.ChoiceField(
                label=label, choices=[("", first), ("yes", "yes"), ("no", "no")], required=required
            )
        case Kind.DATE:
            return forms.CharField(label=label, required=required, widget=forms.TextInput(attrs={"type": "date"}))
        case Kind.DATETIME:
            moment = forms.TextInput(attrs={"type": "datetime-local"})
            return forms.CharField(label=label, required=required, widget=moment, help_text="In UTC.")
        case Kind.NUMBER | Kind.TEXT if several:
            widget = forms.Textarea(attrs={"rows": 2, "placeholder": "One on each line"})
            return forms.CharField(label=label, required=required, widget=widget, max_length=8_000)
        case Kind.NUMBER:
            decimal = forms.TextInput(attrs={"inputmode": "decimal"})
            return forms.CharField(label=label, required=required, widget=decimal)
    return forms.CharField(label=label, required=required, max_length=values.MAX_TEXT)


def value_shown(kind: str, stored: tuple[Value, ...]) -> Any:
    """Stored values as their field shows them."""
    if kind == Kind.CHOICE:
        return list(stored)
    if kind == Kind.BOOLEAN:
        return "" if not stored else "yes" if stored[0] else "no"
    if kind == Kind.DATETIME:
        return str(stored[0])[:16] if stored and stored[0] else ""
    if kind == Kind.DATE:
        return stored[0] if stored else ""
    return "\n".join(_plain(value) for value in stored)


def _plain(value: Value) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else "" if value is None else str(value)


def values_from(kind: str, known: Attribute | None, typed: Any) -> tuple[Value, ...]:
    """What stands in a field of several values, in stored form. Raises BadValue."""
    if not typed:
        return ()
    found = typed if isinstance(typed, list) else [line.strip() for line in str(typed).splitlines() if line.strip()]
    if kind == Kind.CODED:
        return tuple(item.upper() for item in found)
    return tuple(values.parse(kind, item, known) for item in found)
