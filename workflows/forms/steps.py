"""Forms of steps in plain language: from a step to fields and back.

What a form does not say otherwise stays as it was: `kept` writes over a part of the definition only what differs from
what the form as it was drawn says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

import msgspec
from django import forms
from django.forms.boundfield import BoundField
from django.utils.datastructures import MultiValueDict

from contacts.errors import BadValue
from workflows.errors import Problem
from workflows.language.definition import AnyStep, Span, ways_out
from workflows.language.parsing import MAX_NAME
from workflows.offers import Choices, Offers

S = TypeVar("S", bound=msgspec.Struct)

#: Lengths of more than one unit are given in a field for each.
SEVERAL = "several"
UNITS: Choices = [("days", "days"), ("weeks", "weeks"), ("hours", "hours"), ("minutes", "minutes")]
#: The most of each unit: five years.
MOST = {"minutes": 2_600_000, "hours": 43_000, "days": 1_825, "weeks": 260}

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
        """What was typed, with line ends as they are stored, without what was typed for another choice."""
        if data is None:
            return None
        gone = tuple(
            name
            for chooser, names in self.drawn_for.items()
            if f"drawn-{chooser}" in data and data[f"drawn-{chooser}"] != data.get(chooser, "")
            for name in names
        )
        return MultiValueDict({key: _list(data, key) for key in data if not (gone and key.startswith(gone))})

    def anew(self, data: Mapping[str, Any] | None) -> Self:
        """The form of the same part with other data; None: as it was drawn."""
        raise NotImplementedError

    def unchanged(self) -> Self | None:
        """The form as it was drawn, sent back untouched; None where that cannot be read."""
        drawn = self.anew(None)
        found = self.anew(MultiValueDict({name: sent for name in drawn.fields if (sent := _sent(drawn[name]))}))
        return found if found.is_valid() else None

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
    name = forms.CharField(required=False, max_length=MAX_NAME, label="Name of this step")

    def __init__(self, data: Mapping[str, Any] | None, *, step: Any, offers: Offers) -> None:
        self.step, self.offers = step, offers
        super().__init__(data, offers=offers, given={"name": step.name, **self.given(step)})

    def given(self, step: Any) -> dict[str, Any]:
        """What the fields show of a step."""
        return {}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        """What of the step the form says."""
        return {}

    def anew(self, data: Mapping[str, Any] | None) -> Self:
        return type(self)(data, step=self.step, offers=self.offers)

    def read(self) -> AnyStep:
        """The step with everything as the form says it."""
        name = " ".join(self.cleaned_data["name"].split())
        step: AnyStep = change(self.step, name=name, **self.changes(self.cleaned_data))
        return step

    def made(self) -> AnyStep:
        """The step as the form has it; ways out that it no longer has are gone."""
        drawn = self.unchanged()
        step: AnyStep = kept(self.step, self.read(), drawn.read() if drawn else None)
        if step == self.step:
            return step
        ways = ways_out(step)
        return change(step, exits={way: to for way, to in step.exits.items() if way in ways})


def kept(held: Any, made: Any, drawn: Any) -> Any:
    """`held` with what `made` says otherwise than `drawn`, part by part."""
    if made == drawn:
        return held
    if isinstance(made, msgspec.Struct) and type(held) is type(made) is type(drawn):
        names = made.__struct_fields__
        return change(made, **{name: kept(*(getattr(one, name) for one in (held, made, drawn))) for name in names})
    if isinstance(made, tuple) and isinstance(held, tuple) and _alike(held, drawn) and len(made) >= len(held):
        n = len(held)
        return (*(kept(*three) for three in zip(held, made[:n], drawn, strict=True)), *made[n:])
    return made


def _alike(held: tuple[Any, ...], drawn: Any) -> bool:
    """Whether both are lists of as many parts."""
    structs = isinstance(drawn, tuple) and all(isinstance(one, msgspec.Struct) for one in held)
    return structs and len(held) == len(drawn)


def _sent(bound: BoundField) -> list[str]:
    """What a browser sends of a field that nobody touches."""
    field, value = bound.field, bound.value()
    match field:
        case forms.BooleanField():
            return ["on"] if value else []
        case forms.MultipleChoiceField():
            chosen = {str(one) for one in value or ()}
            return [key for key in _offered(field) if key in chosen]
        case forms.ChoiceField():
            offered = _offered(field)
            first = [] if isinstance(field.widget, forms.RadioSelect) else offered[:1]
            return [str(value)] if str(value) in offered else first
    text = field.widget.format_value(value) or ""
    return [text if isinstance(field.widget, forms.Textarea) else text.replace("\r", "").replace("\n", "")]


def _offered(field: forms.ChoiceField) -> list[str]:
    offered: Any = field.choices
    return [str(key) for key, _ in offered]


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.getlist(key) if isinstance(data, MultiValueDict) else [data[key]]
    return [one.replace("\r\n", "\n") if isinstance(one, str) else one for one in found]


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


# Lengths of time: one number and its unit, or a number for each unit

SPAN: Layout = (("count", "unit"), ("weeks", "days"), ("hours", "minutes"))


def span_of(struct: Span) -> dict[str, Any]:
    """What the fields show of it."""
    parts = {unit: getattr(struct, unit) for unit in struct.__struct_fields__ if getattr(struct, unit)}
    if len(parts) > 1:
        return {"unit": SEVERAL, **parts}
    unit, count = next(iter(parts.items()), ("days", 0))
    return {"count": count, "unit": unit}


def span_fields(label: str, unit: str) -> dict[str, forms.Field]:
    units: Choices = [*UNITS, (SEVERAL, "several units together")]
    if unit != SEVERAL:
        return {"count": whole(label, high=max(MOST.values())), "unit": pick("Unit", units, required=True)}
    fields: dict[str, forms.Field] = {"unit": pick(label, units, required=True)}
    for name in Span.__struct_fields__:
        fields[name] = whole(name.capitalize(), high=MOST[name], required=False)
    return fields


def span_from(typed: dict[str, Any]) -> Span:
    if typed["unit"] == SEVERAL:
        return Span(**{unit: typed.get(unit) or 0 for unit in Span.__struct_fields__})
    return Span(**{typed["unit"]: typed["count"]})


class SpanFields(PanelForm):
    """A length of time."""

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        typed = self.cleaned_data
        if typed.get("unit") == SEVERAL and not self.errors and span_from(typed) == Span():
            self.waits = self.waits or "Not kept yet: say how long."
        return typed
