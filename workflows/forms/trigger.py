"""What lets people in: a kind, and its own fields."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django import forms

from contacts.errors import BadValue
from contacts.models import Kind
from core.sensitivity import Sensitivity
from workflows.forms import values
from workflows.forms.steps import Layout, change, kept, pick, uuid_or_none
from workflows.forms.times import ChangeFields, MomentFields, event_field
from workflows.language import definition as d
from workflows.offers import Choices, Offers, choices

TRIGGERS: Choices = [
    ("date", "A moment before or after a date comes"),
    ("event", "Another system tells of an event"),
    ("segment", "Somebody enters or leaves a segment"),
    ("attribute", "A value changes"),
    ("consent", "Consent is given or withdrawn"),
    ("engaged", "Somebody opens a campaign or clicks in it"),
    ("sent", "A campaign was sent to them"),
    ("manual", "Only by hand, by a list, by the API or from another journey"),
]

CHOSEN_BY: Choices = [
    ("identity", "Nothing of their health"),
    ("phi", Sensitivity.PHI.label),
    ("special", Sensitivity.SPECIAL.label),
]

#: The fields behind the kind and the moment, whichever are there.
ORDER = ("yearly", "late", "segment", "did", "mailing", *ChangeFields.change_layout, "topic", "change", "event")


class TriggerForm(MomentFields, ChangeFields):
    """`made` gives the trigger; `waits` says what is still to be chosen before there is one."""

    named: ClassVar[Mapping[str, str]] = {
        "trigger.moment": "date",
        "trigger.moment.at": "at",
        "trigger.where": "event",
        **{
            f"trigger.{name}": name
            for name in ("segment", "event", "attribute", "was", "becomes", "topic", "mailing", "chosen_by")
        },
    }
    drawn_for: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "kind": ("change", "event", "attribute", "was", "becomes", "where-"),
        "attribute": ("was", "becomes"),
        "event": ("where-",),
    }

    def __init__(self, data: Mapping[str, Any] | None, *, trigger: d.AnyTrigger, offers: Offers) -> None:
        self.trigger, self.offers = trigger, offers
        super().__init__(data, offers=offers, given=self._given(trigger))

    def anew(self, data: Mapping[str, Any] | None) -> Self:
        return type(self)(data, trigger=self.trigger, offers=self.offers)

    def _given(self, trigger: d.AnyTrigger) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": str(trigger.__struct_config__.tag), **self.change_given("", (), ())}
        match trigger:
            case d.BySegment():
                found |= {"segment": str(trigger.segment), "change": trigger.change}
            case d.ByAttribute():
                found |= self.change_given(trigger.attribute, trigger.was, trigger.becomes)
            case d.ByDate():
                found |= {**self.moment_given(trigger.moment), "yearly": trigger.yearly, "late": trigger.late}
            case d.ByEvent():
                found |= {"event": trigger.event} | {
                    f"where-{name}": values.shown(kind, self._values(trigger.event, name))
                    for name, kind in self._asked(trigger.event).items()
                }
            case d.ByConsent():
                found |= {"topic": str(trigger.topic), "change": trigger.change}
            case d.ByEngagement():
                found |= {"did": trigger.event, "mailing": str(trigger.mailing or "")}
            case d.BySent():
                found |= {"mailing": str(trigger.mailing)}
            case d.ByHand():
                found |= {"chosen_by": trigger.chosen_by}
        return found

    def _where_of(self, event: str) -> tuple[d.PropertyIs, ...]:
        """What is asked of this event so far."""
        trigger = self.trigger
        return trigger.where if isinstance(trigger, d.ByEvent) and trigger.event == event else ()

    def _asked(self, event: str) -> dict[str, str]:
        """What can be asked of an event, and what is asked though it says no such thing (any more): name → kind."""
        known = self.offers.event(event)
        found = {name: values.KINDS[kind] for name, kind in (known.properties if known else {}).items()}
        return {**{one.property: Kind.TEXT for one in self._where_of(event)}, **found}

    def _values(self, event: str, name: str) -> tuple[d.Value, ...]:
        return next((one.values for one in self._where_of(event) if one.property == name), ())

    def build(self) -> None:
        self.fields["kind"] = pick("People enter when", TRIGGERS, required=True)
        offers = self.offers
        match self.now("kind"):
            case "segment":
                self.fields["segment"] = pick(
                    "Which segment", choices(offers.segments, "Choose a segment…", self.now("segment"))
                )
                self.fields["change"] = pick(
                    "When they", [("enters", "enter it"), ("leaves", "leave it")], required=True
                )
            case "attribute":
                self.change_fields(str(self.now("attribute") or ""))
            case "date":
                self.moment_fields(properties=False)
                self.fields["yearly"] = forms.BooleanField(
                    required=False, label="Every year (for birthdays; 29 February: the 28th where there is none)"
                )
                self.fields["late"] = pick(
                    "Who gets such a date when that moment has passed already",
                    [("skip", "does not enter"), ("enter", "enters at once, if the date itself is still ahead")],
                    required=True,
                )
            case "event":
                self.fields["event"] = event_field(offers, str(self.now("event") or ""))
                event = str(self.now("event") or "")
                for name, kind in self._asked(event).items():
                    label = f"Only where {name.replace('_', ' ')} is"
                    self.fields[f"where-{name}"] = values.several(label, kind, None, self._values(event, name))
            case "consent":
                self.fields["topic"] = pick(
                    "To which topic", choices(offers.topics, "Choose a topic…", self.now("topic"))
                )
                self.fields["change"] = pick(
                    "When consent is", [("given", "given"), ("withdrawn", "withdrawn")], required=True
                )
            case "engaged":
                self.fields["did"] = pick("When they", [("clicked", "click"), ("opened", "open")], required=True)
                self.fields["mailing"] = pick("In", choices(offers.mailings, "any campaign", self.now("mailing")))
            case "sent":
                self.fields["mailing"] = pick(
                    "Which campaign", choices(offers.mailings, "Choose a campaign…", self.now("mailing"))
                )
            case "manual":
                self.fields["chosen_by"] = pick(
                    "People are chosen by",
                    CHOSEN_BY,
                    help="What whoever puts them on it goes by: staff, a segment, another journey. Nobody enters by "
                    "more than is said here. From health information on, a second person approves the journey.",
                )

    def order(self) -> Layout:
        asked = tuple(name for name in self.fields if name.startswith("where-"))
        return ("kind", *MomentFields.moment_layout, *ORDER, "chosen_by", *asked)

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        typed = self.cleaned_data
        kind = typed.get("kind")
        needed = {"segment": "segment", "consent": "topic", "sent": "mailing"}.get(kind or "")
        if needed and not uuid_or_none(typed.get(needed) or ""):
            self.waits = f"Not kept yet: choose a {'campaign' if needed == 'mailing' else needed}."
        if kind == "attribute":
            typed |= self.changed(typed.get("attribute", ""))
        if kind == "event":
            typed["where"] = tuple(self._where(typed))
        return typed

    def _where(self, typed: dict[str, Any]) -> list[d.PropertyIs]:
        event, found = typed.get("event", ""), []
        for name, kind in self._asked(event).items():
            try:
                held = values.read(kind, None, typed.get(f"where-{name}"), self._values(event, name))
            except BadValue as problem:
                self.refuse(f"where-{name}", problem)
                continue
            if held:
                found.append(d.PropertyIs(name, held))
        return found

    def made(self) -> d.AnyTrigger:
        """The trigger as the form has it."""
        drawn = self.unchanged()
        made: d.AnyTrigger = kept(self.trigger, self.read(), drawn.read() if drawn else None)
        return made

    def read(self) -> d.AnyTrigger:  # noqa: PLR0911  one case a kind
        """The trigger with everything as the form says it."""
        typed = self.cleaned_data
        match typed["kind"]:
            case "segment":
                return d.BySegment(uuid_or_none(typed["segment"]), typed["change"])  # type: ignore[arg-type]
            case "attribute":
                return d.ByAttribute(typed["attribute"], typed["was"], typed["becomes"])
            case "date":
                return d.ByDate(self.moment(typed), typed["yearly"], typed["late"])
            case "event":
                return d.ByEvent(typed["event"], typed["where"])
            case "consent":
                return d.ByConsent(uuid_or_none(typed["topic"]), typed["change"])  # type: ignore[arg-type]
            case "engaged":
                return d.ByEngagement(typed["did"], uuid_or_none(typed["mailing"]))
            case "sent":
                return d.BySent(uuid_or_none(typed["mailing"]))  # type: ignore[arg-type]
        return d.ByHand(typed["chosen_by"] or "identity")


def with_trigger(definition: d.Definition, trigger: d.AnyTrigger) -> d.Definition:
    """The journey with another way in. Where nobody has said how often, a date or an event lets in once for each."""
    again = definition.reentry
    keyed = isinstance(trigger, d.ByDate | d.ByEvent)
    if type(trigger) is not type(definition.trigger):
        if keyed and again == d.Reentry():
            again = d.Reentry("per_key")
        elif not keyed and again == d.Reentry("per_key"):
            again = d.Reentry()
    return change(definition, trigger=trigger, reentry=again)
