"""Steps that wait: for a span, until a moment around a date, until a weekday, for an event or a change."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from contacts.errors import BadValue
from segments.operators import WEEKDAYS
from workflows.forms import values
from workflows.forms.steps import (
    MOST,
    SEVERAL,
    SPAN,
    UNITS,
    Layout,
    PanelForm,
    SpanFields,
    StepForm,
    clock_time,
    pick,
    span_fields,
    span_from,
    span_of,
    whole,
)
from workflows.language.definition import ByDate, ByEvent, Moment, Value, Wait, WaitEvent, WaitUntil, WaitWeekday
from workflows.offers import DATES, Choices, Offers

SIDES: Choices = [("before", "before"), ("on", "on the day of"), ("after", "after")]
MINUTES = {"minutes": 1, "hours": 60}
DAYS = {"days": 1, "weeks": 7}


class WaitForm(SpanFields, StepForm):
    about = "People stay here for this long, then go on. Days and weeks keep the time of day where the person is."
    layout: ClassVar[Layout] = (*SPAN, "name")
    named: ClassVar[Mapping[str, str]] = {"span": "unit"}

    def given(self, step: Wait) -> dict[str, Any]:
        return span_of(step.span)

    def build(self) -> None:
        self.fields |= span_fields("How long", self.now("unit"))

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"span": span_from(typed)}


class MomentFields(PanelForm):
    """A moment around a date: how long before or after which date, and at what time of that day."""

    moment_layout: ClassVar[Layout] = (("amount", "unit", "side"), ("days", "minutes"), "date", "at")

    def moment_given(self, moment: Moment) -> dict[str, Any]:
        days, minutes = abs(moment.days), abs(moment.minutes)
        side = "before" if moment.days < 0 or moment.minutes < 0 else "after" if days or minutes else "on"
        count, unit = (days // 7, "weeks") if days and days % 7 == 0 else (days, "days")
        if minutes:
            count, unit = (minutes // 60, "hours") if minutes % 60 == 0 else (minutes, "minutes")
        if minutes and (days or moment.at):
            unit = SEVERAL
        date = f"property:{moment.property}" if moment.property else f"attribute:{moment.attribute}"
        if not moment.property and not moment.attribute:
            date = ""
        by_each = {"days": moment.days, "minutes": moment.minutes}
        return {"amount": count or "", "unit": unit, "side": side, "date": date, "at": moment.at, **by_each}

    def moment_fields(self, *, properties: bool) -> None:
        """`properties`: also dates of the event that let them in."""
        each = self.now("unit") == SEVERAL
        on = self.now("side") == "on" and not each
        units = [*UNITS, (SEVERAL, "days and minutes together")]
        if each:
            self.fields["unit"] = pick("How long", units, required=True)
            far = MOST["minutes"]
            self.fields["days"] = whole("Days (before: -3)", low=-MOST["days"], high=MOST["days"])
            self.fields["minutes"] = whole("Minutes (before: -90)", low=-far, high=far)
        elif not on:
            self.fields["amount"] = whole("How long", low=1, high=max(MOST.values()))
            self.fields["unit"] = pick("Unit", units, required=True)
        if not each:
            self.fields["side"] = pick("Before or after", SIDES, required=True)
        self.fields["date"] = pick("Which date", self._dates(properties))
        if on or each or (self.now("unit") or "days") in DAYS:
            self.fields["at"] = clock_time(
                "At what time",
                required=False,
                help="Where the person is. Empty: at the time of the date itself (a date without a time: midnight).",
            )

    def _dates(self, properties: bool) -> Choices:
        found = [(f"attribute:{key}", label) for key, label in self.offers.attributes_of(*DATES)]
        if properties:
            held = self.offers.properties("date", "datetime")
            found += [(f"property:{name}", f"{_words(name)} of the event that let them in") for name in held]
        chosen = str(self.now("date") or "")
        if chosen and chosen not in {key for key, _ in found}:
            found.append((chosen, f"{chosen.partition(':')[2]} (no longer there)"))
        return [("", "Choose a date…"), *found]

    def moment(self, typed: dict[str, Any]) -> Moment:
        source, _, key = typed["date"].partition(":")
        sign = -1 if typed.get("side") == "before" else 1
        amount, unit = typed.get("amount") or 0, typed.get("unit") or "days"
        at = typed.get("at")
        return Moment(
            attribute=key if source == "attribute" else "",
            property=key if source == "property" else "",
            days=typed["days"] if unit == SEVERAL else sign * amount * DAYS.get(unit, 0),
            minutes=typed["minutes"] if unit == SEVERAL else sign * amount * MINUTES.get(unit, 0),
            at=f"{at:%H:%M}" if at else "",
        )


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


class WaitUntilForm(MomentFields, StepForm):
    about = "People stay here until this moment comes. Where their date moves, the wait moves with it."
    layout = (*MomentFields.moment_layout, "past", "name")
    named: ClassVar[Mapping[str, str]] = {
        "moment": "date",
        "moment.attribute": "date",
        "moment.property": "date",
        "moment.at": "at",
    }

    def given(self, step: WaitUntil) -> dict[str, Any]:
        return {**self.moment_given(step.moment), "past": "past" in step.exits}

    def build(self) -> None:
        self.moment_fields(properties=True)
        self.fields["past"] = forms.BooleanField(
            required=False,
            label="Another way for those without such a date, or whose moment had passed when they came",
        )

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"moment": self.moment(typed), "exits": with_way(self.step.exits, "past", typed["past"])}


def with_way(exits: dict[str, str | None], way: str, drawn: bool) -> dict[str, str | None]:
    """The ways out with this one drawn (ending the journey, until something is put there), or not drawn."""
    if drawn:
        return {way: None, **exits}
    return {name: to for name, to in exits.items() if name != way}


class WaitWeekdayForm(StepForm):
    about = "People stay here until the next such day and time, where they are."
    layout: ClassVar[Layout] = ("weekdays", "at", "name")

    weekdays = forms.TypedMultipleChoiceField(
        label="On",
        choices=[(n, day.capitalize()) for n, day in enumerate(WEEKDAYS)],
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: any day.",
    )
    at = clock_time("At", required=True)

    def given(self, step: WaitWeekday) -> dict[str, Any]:
        return {"weekdays": list(step.weekdays), "at": step.at}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"weekdays": tuple(sorted(typed["weekdays"])), "at": f"{typed['at']:%H:%M}"}


class ChangeFields(PanelForm):
    """From which values to which an attribute changes, no value being one of them; empty: from and to whatever."""

    change_layout: ClassVar[Layout] = ("attribute", "was", "was-none", "becomes", "becomes-none")
    #: What the definition asks for, to be left as it is.
    held: Mapping[str, tuple[Value, ...]]

    def change_given(self, attribute: str, was: tuple[Value, ...], becomes: tuple[Value, ...]) -> dict[str, Any]:
        self.held = {"was": was, "becomes": becomes}
        kind = self._kind(attribute)
        found: dict[str, Any] = {"attribute": attribute}
        for name, asked in self.held.items():
            found |= {name: values.shown(kind, asked), f"{name}-none": None in asked}
        return found

    def _kind(self, attribute: str) -> str:
        known = self.offers.attributes.get(attribute)
        return known.kind if known else "text"

    def change_fields(self, attribute: str) -> None:
        """The attribute, and from and to what it changes."""
        offered = [("", "Choose…"), *self.offers.attributes_of()]
        if attribute and attribute not in dict(offered):
            offered.append((attribute, f"{attribute} (removed)"))
        self.fields["attribute"] = pick("Which value", offered)
        if not attribute:
            return
        kind, known = self._kind(attribute), self.offers.attributes.get(attribute)
        empty = {"was": "From empty: there was no value", "becomes": "To empty: there is no value any more"}
        for name, label in (("was", "From"), ("becomes", "To")):
            field = values.several(label, kind, known, self._held(attribute, name))
            field.help_text = "Nothing chosen: whatever."
            self.fields[name] = field
            self.fields[f"{name}-none"] = forms.BooleanField(label=empty[name], required=False)

    def _held(self, attribute: str, name: str) -> tuple[Value, ...]:
        return self.held[name] if attribute == self.initial["attribute"] else ()

    def changed(self, attribute: str) -> dict[str, Any]:
        """`was` and `becomes` as typed, in stored form; refusals stand at their fields."""
        known, typed = self.offers.attributes.get(attribute), self.cleaned_data
        found: dict[str, Any] = {}
        for name in ("was", "becomes"):
            try:
                read = values.read(self._kind(attribute), known, typed.get(name), self._held(attribute, name))
            except BadValue as problem:
                self.refuse(name, problem)
                read = ()
            found[name] = (*read, None) if typed.get(f"{name}-none") else read
        return found


class WaitEventForm(ChangeFields, SpanFields, StepForm):
    about = "People stay here until it happens, at most for the time given; each has a way out of its own."
    layout: ClassVar[Layout] = ("what", "event", "same_key", *ChangeFields.change_layout, "since", *SPAN, "name")
    named: ClassVar[Mapping[str, str]] = {"timeout": "unit"}
    drawn_for: ClassVar[Mapping[str, tuple[str, ...]]] = {"attribute": ("was", "becomes")}

    def given(self, step: WaitEvent) -> dict[str, Any]:
        what = "attribute" if step.attribute else "event"
        change = self.change_given(step.attribute, step.was, step.becomes)
        more = {"what": what, "event": step.event, "same_key": step.same_key, "since": step.since}
        return {**change, **more, **span_of(step.timeout)}

    def build(self) -> None:
        self.fields["what"] = pick(
            "Wait for", [("event", "an event from another system"), ("attribute", "a change of a value")], required=True
        )
        if self.now("what") == "attribute":
            self.change_fields(str(self.now("attribute") or ""))
        else:
            self.fields["event"] = event_field(self.offers, str(self.now("event") or ""))
            self.fields["same_key"] = same_key_field(self.offers)
        self.fields["since"] = pick(
            "Count what happened",
            [("entered", "since they entered the journey"), ("here", "since they came to this step")],
            required=True,
        )
        self.fields |= span_fields("At most", self.now("unit"))

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        self.cleaned_data |= self.changed(self.cleaned_data.get("attribute", ""))
        return self.cleaned_data

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        by_value = typed["what"] == "attribute"
        return {
            "event": "" if by_value else typed.get("event", ""),
            "attribute": typed.get("attribute", "") if by_value else "",
            "was": typed["was"] if by_value else (),
            "becomes": typed["becomes"] if by_value else (),
            "same_key": self.step.same_key if by_value else typed.get("same_key", False),
            "since": typed["since"],
            "timeout": span_from(typed),
        }


def same_key_field(offers: Offers) -> forms.BooleanField:
    """Whether an event counts only where it is about the same thing as the one that let them in."""
    trigger, help = offers.definition.trigger, "For people whom no event let in, any such event counts."
    if isinstance(trigger, ByEvent):
        help = ""
    elif isinstance(trigger, ByDate):
        help = "People come in by a date here, and no event is about the same one: leave it off."
    label = "Only of the same one they entered for (the same appointment, the same order)"
    return forms.BooleanField(required=False, label=label, help_text=help)


def event_field(offers: Offers, chosen: str, label: str = "Which event") -> forms.ChoiceField:
    known = offers.event(chosen)
    # Large and small letters are the same: it is offered as it is written here.
    rows = [(chosen if known and name == known.name else name, words) for name, words in offers.event_names()]
    if chosen and known is None:
        rows.append((chosen, f"{chosen} (not declared)"))
    help = "" if rows else "No event is declared yet. Declare it under Events first."
    return pick(label, [("", "Choose an event…"), *rows], help=help)
