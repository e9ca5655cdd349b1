"""Steps that wait: for a span, until a moment around a date, until a weekday, for an event or a change."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from contacts.errors import BadValue
from segments.operators import WEEKDAYS
from workflows.forms.steps import (
    MOST,
    UNITS,
    Layout,
    PanelForm,
    StepForm,
    clock_time,
    pick,
    span_fields,
    span_from,
    span_of,
    value_field,
    value_shown,
    values_from,
    whole,
)
from workflows.language.definition import ByEvent, Moment, Wait, WaitEvent, WaitUntil, WaitWeekday
from workflows.offers import DATES, Choices, Offers

SIDES: Choices = [("before", "before"), ("on", "on the day of"), ("after", "after")]
MINUTES = {"minutes": 1, "hours": 60}
DAYS = {"days": 1, "weeks": 7}


class WaitForm(StepForm):
    about = "People stay here for this long, then go on. Days and weeks keep the time of day where the person is."
    layout: ClassVar[Layout] = (("count", "unit"), "name")
    named: ClassVar[Mapping[str, str]] = {"span": "count"}

    def given(self, step: Wait) -> dict[str, Any]:
        return span_of(step.span)

    def build(self) -> None:
        self.fields |= span_fields("How long")

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"span": span_from(typed)}


class MomentFields(PanelForm):
    """A moment around a date: how long before or after which date, and at what time of that day."""

    moment_layout: ClassVar[Layout] = (("amount", "unit", "side"), "date", "at")

    def moment_given(self, moment: Moment) -> dict[str, Any]:
        days, minutes = abs(moment.days), abs(moment.minutes)
        side = "before" if moment.days < 0 or moment.minutes < 0 else "after" if days or minutes else "on"
        count, unit = (days // 7, "weeks") if days and days % 7 == 0 else (days, "days")
        if minutes:
            minutes += days * 1_440
            count, unit = (minutes // 60, "hours") if minutes % 60 == 0 else (minutes, "minutes")
        date = f"property:{moment.property}" if moment.property else f"attribute:{moment.attribute}"
        if not moment.property and not moment.attribute:
            date = ""
        return {"amount": count or "", "unit": unit, "side": side, "date": date, "at": moment.at}

    def moment_fields(self, *, properties: bool) -> None:
        """`properties`: also dates of the event that let them in."""
        on = self.now("side") == "on"
        if not on:
            self.fields["amount"] = whole("How long", low=1, high=max(MOST.values()))
            self.fields["unit"] = pick("Unit", UNITS, required=True)
        self.fields["side"] = pick("Before or after", SIDES, required=True)
        self.fields["date"] = pick("Which date", self._dates(properties))
        if on or (self.now("unit") or "days") in DAYS:
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
        sign = -1 if typed["side"] == "before" else 1
        amount, unit = typed.get("amount") or 0, typed.get("unit") or "days"
        at = typed.get("at")
        return Moment(
            attribute=key if source == "attribute" else "",
            property=key if source == "property" else "",
            days=sign * amount * DAYS.get(unit, 0),
            minutes=sign * amount * MINUTES.get(unit, 0),
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
    """From which values to which an attribute changes; empty: from and to whatever."""

    def change_given(self, attribute: str, was: Any, becomes: Any) -> dict[str, Any]:
        known = self.offers.attributes.get(attribute)
        kind = known.kind if known else "text"
        return {"attribute": attribute, "was": value_shown(kind, was), "becomes": value_shown(kind, becomes)}

    def change_fields(self, attribute: str) -> None:
        known = self.offers.attributes.get(attribute)
        if known is None:
            return
        for name, label in (("was", "From"), ("becomes", "To")):
            field = value_field(label, known.kind, known, several=True)
            if field is not None:
                field.help_text = f"{field.help_text} Nothing chosen: whatever.".strip()
                self.fields[name] = field

    def changed(self, attribute: str) -> dict[str, Any]:
        """`was` and `becomes` as typed, in stored form; refusals stand at their fields."""
        known = self.offers.attributes.get(attribute)
        found: dict[str, Any] = {}
        for name in ("was", "becomes"):
            try:
                found[name] = values_from(known.kind, known, self.cleaned_data.get(name)) if known else ()
            except BadValue as problem:
                self.refuse(name, problem)
                found[name] = ()
        return found


class WaitEventForm(ChangeFields, StepForm):
    about = "People stay here until it happens, at most for the time given; each has a way out of its own."
    layout: ClassVar[Layout] = (
        "what",
        "event",
        "same_key",
        "attribute",
        "was",
        "becomes",
        "since",
        ("count", "unit"),
        "name",
    )
    named: ClassVar[Mapping[str, str]] = {"timeout": "count"}
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
            offered = [("", "Choose…"), *self.offers.attributes_of()]
            chosen = str(self.now("attribute") or "")
            if chosen and chosen not in dict(offered):
                offered.append((chosen, f"{chosen} (removed)"))
            self.fields["attribute"] = pick("Which value", offered)
            self.change_fields(chosen)
        else:
            self.fields["event"] = event_field(self.offers, str(self.now("event") or ""))
            if isinstance(self.offers.definition.trigger, ByEvent):
                self.fields["same_key"] = forms.BooleanField(
                    required=False, label="Only of the same one they entered for (the same appointment, the same order)"
                )
        self.fields["since"] = pick(
            "Count what happened",
            [("entered", "since they entered the journey"), ("here", "since they came to this step")],
            required=True,
        )
        self.fields |= span_fields("At most")

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
            "same_key": typed.get("same_key", False),
            "since": typed["since"],
            "timeout": span_from(typed),
        }


def event_field(offers: Offers, chosen: str, label: str = "Which event") -> forms.ChoiceField:
    found = [("", "Choose an event…"), *offers.event_names()]
    if chosen and chosen not in dict(found):
        found.append((chosen, f"{chosen} (not declared)"))
    return pick(label, found, help="" if len(found) > 1 else "No event is declared yet. Declare it under Events first.")
